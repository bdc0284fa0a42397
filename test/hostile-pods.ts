/** Pods whose logs and events hold text that acts on whoever shows it. */
import type { Cluster } from '../src/rehearsal/cluster.ts';
import { NAMESPACE } from './crash/lab.ts';
import { LINES } from './hostile.ts';

/** From now on: in the logs of pods of that name, and in events of each pod of that name that is made. */
export function speakHostile(cluster: Cluster, inLogs: RegExp, inEvents: RegExp, reason = 'Failed'): void {
  const { store, kubelet } = cluster;
  const real = kubelet.log.bind(kubelet);
  kubelet.log = async function* (namespace, pod, container, options) {
    if (inLogs.test(pod)) for (const line of LINES) yield { at: new Date(), line };
    yield* real(namespace, pod, container, options);
  };
  let serial = 0;
  store.watch(({ resource, type, object }) => {
    if (resource !== 'pods' || type !== 'ADDED' || !inEvents.test(object.metadata.name)) return;
    const { name, uid } = object.metadata;
    queueMicrotask(() => {
      for (const message of LINES.slice(0, -2)) {
        serial++;
        store.create('events', {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name: `hostile-${serial}`, namespace: NAMESPACE },
          involvedObject: { kind: 'Pod', name, namespace: NAMESPACE, uid },
          reason,
          message,
          type: 'Warning',
          firstTimestamp: new Date().toISOString(),
          lastTimestamp: new Date().toISOString(),
          count: 1,
        });
      }
    });
  });
}
