/** Records Kubernetes events; the same event again raises its count instead of making a second object. */
import type { KubeObject, ObjectStore } from '../contract.ts';

export interface EventRecorder {
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
}

/** RFC 3339 with whole seconds, as Kubernetes writes its times. */
export const now = (at: Date = new Date()): string => at.toISOString().replace(/\.\d+Z$/, 'Z');

let serial = 0;

export function createEventRecorder(store: ObjectStore, component: string, host?: string): EventRecorder {
  /** Names of the events already made, by what makes two events the same. */
  const known = new Map<string, string>();
  return {
    event(object, type, reason, message, fieldPath) {
      const namespace = object.metadata.namespace ?? 'default';
      const home = store.get('namespaces', undefined, namespace);
      // A namespace on its way out takes no new objects; its events are lost, as in a real cluster.
      if (!home || home.metadata.deletionTimestamp) return;
      const key = JSON.stringify([object.metadata.uid, type, reason, message, fieldPath]);
      const name = known.get(key);
      const at = now();
      const existing = name ? store.get('events', namespace, name) : undefined;
      if (existing) {
        store.update('events', { ...existing, count: (existing.count ?? 1) + 1, lastTimestamp: at });
        return;
      }
      const stamp = (BigInt(Date.now()) * 1_000_000n + BigInt(serial++ % 1_000_000)).toString(16);
      const created = store.create('events', {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: `${object.metadata.name}.${stamp}`, namespace },
        involvedObject: {
          kind: object.kind,
          namespace: object.metadata.namespace,
          name: object.metadata.name,
          uid: object.metadata.uid,
          apiVersion: object.apiVersion,
          resourceVersion: object.metadata.resourceVersion,
          ...(fieldPath ? { fieldPath } : {}),
        },
        reason,
        message,
        source: { component, ...(host ? { host } : {}) },
        firstTimestamp: at,
        lastTimestamp: at,
        count: 1,
        type,
        eventTime: null,
        reportingComponent: component,
        reportingInstance: host ?? '',
      });
      known.set(key, created.metadata.name);
    },
  };
}
