/**
 * A kubelet for the controllers' scenarios: containers of the recording's image start and become Ready, those with an unknown image, a
 * command that exits or a probe that fails never do. Terminating pods are gone a moment later.
 */

import type { RehearsalStore } from '../../src/rehearsal/api/store.ts';
import type { Json, KubeObject } from '../../src/rehearsal/contract.ts';

/** Returns the function that stops it. */
export function scriptedKubelet(store: RehearsalStore): () => void {
  const timers = new Set<NodeJS.Timeout>();
  const later = (milliseconds: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, milliseconds);
    timers.add(timer);
  };
  const pod = (namespace: string, name: string): KubeObject | undefined => store.get('pods', namespace, name);
  const stop = store.watch(({ type, resource, object }) => {
    if (resource !== 'pods') return;
    const { namespace = '', name, uid = '' } = object.metadata;
    if (type === 'ADDED') {
      later(2, () => {
        const found = pod(namespace, name);
        if (found !== undefined)
          store.update('pods', { ...found, spec: { ...found.spec, nodeName: 'node1' } }, { manager: 'kube-scheduler' });
      });
      later(5, () => writeStatus(store, pod(namespace, name), false));
      if (healthy(object)) later(25, () => writeStatus(store, pod(namespace, name), true));
    } else if (type === 'MODIFIED' && object.metadata.deletionTimestamp !== undefined) {
      later(10, () => store.finalise('pods', namespace, name, uid));
    }
  });
  return () => {
    stop();
    for (const timer of timers) clearTimeout(timer);
  };
}

function healthy(pod: KubeObject): boolean {
  const container = pod.spec.containers[0] as Json;
  if (container.image !== 'nova/base:1' || /exit 1/.test((container.command ?? []).join(' '))) return false;
  const probe: string[] = container.readinessProbe?.exec?.command ?? [];
  if (probe.some((word) => word.includes('$OK'))) return container.env[0].value === '1';
  return probe.at(-1) !== 'false';
}

function writeStatus(store: RehearsalStore, pod: KubeObject | undefined, ready: boolean): void {
  if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
  const at = `${store.now().toISOString().slice(0, 19)}Z`;
  const condition = (type: string, status: boolean): Json => ({
    type,
    status: status ? 'True' : 'False',
    lastTransitionTime: at,
  });
  store.updateStatus(
    'pods',
    {
      ...pod,
      status: {
        ...pod.status,
        phase: ready ? 'Running' : 'Pending',
        conditions: [condition('PodScheduled', true), condition('Ready', ready), condition('ContainersReady', ready)],
      },
    },
    { manager: 'kubelet' },
  );
}
