/**
 * The autoscaler of a cluster without a metrics server (pkg/controller/podautoscaler): it still keeps the replicas between
 * `minReplicas` and `maxReplicas`, leaves a workload at zero alone, and says that it can't measure.
 */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { now } from './events.ts';
import { createWorkQueue } from './queue.ts';

const SCALERS = 'horizontalpodautoscalers.autoscaling';
const MANAGER = 'kube-controller-manager';
const TARGETS: Readonly<Record<string, string>> = {
  Deployment: 'deployments.apps',
  StatefulSet: 'statefulsets.apps',
  ReplicaSet: 'replicasets.apps',
};

export function startHorizontalPodAutoscalerController(
  store: ObjectStore,
  report: (key: string, error: unknown) => void,
): () => void {
  const queue = createWorkQueue((key) => sync(key), report);
  const keyOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`;
  const stop = store.watch(({ resource, object }) => {
    if (resource === SCALERS) queue.add(keyOf(object));
    else if (TARGETS[object.kind] === resource) {
      for (const scaler of store.list(SCALERS, object.metadata.namespace)) {
        const { kind, name } = scaler.spec?.scaleTargetRef ?? {};
        if (kind === object.kind && name === object.metadata.name) queue.add(keyOf(scaler));
      }
    }
  });
  for (const scaler of store.list(SCALERS)) queue.add(keyOf(scaler));

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const scaler = store.get(SCALERS, namespace, name);
    if (!scaler || scaler.metadata.deletionTimestamp) return;
    const { scaleTargetRef, minReplicas = 1, maxReplicas } = scaler.spec ?? {};
    const resource = TARGETS[scaleTargetRef?.kind];
    const target = resource === undefined ? undefined : store.get(resource, namespace, scaleTargetRef.name);
    if (resource === undefined || !target) {
      say(scaler, [condition('AbleToScale', 'False', 'FailedGetScale', `${scaleTargetRef?.kind} not found`)], {});
      return;
    }
    const replicas: number = target.spec?.replicas ?? 1;
    const wanted = replicas === 0 ? 0 : Math.min(Math.max(replicas, minReplicas), maxReplicas ?? replicas);
    if (wanted !== replicas)
      store.update(resource, { ...target, spec: { ...target.spec, replicas: wanted } }, { manager: MANAGER });
    const active =
      replicas === 0
        ? condition(
            'ScalingActive',
            'False',
            'ScalingDisabled',
            'scaling is disabled since the replica count of the target is zero',
          )
        : condition('ScalingActive', 'False', 'FailedGetResourceMetric', 'no metrics API answers');
    say(
      scaler,
      [
        condition('AbleToScale', 'True', 'SucceededGetScale', 'the controller was able to get the current scale'),
        active,
      ],
      {
        currentReplicas: replicas,
        desiredReplicas: wanted,
      },
    );
  }

  function say(scaler: KubeObject, conditions: Json[], counts: Json): void {
    const before: Json[] = scaler.status?.conditions ?? [];
    const status = {
      ...counts,
      currentMetrics: null,
      conditions: conditions.map((one) => {
        const known = before.find(
          (old) => old.type === one.type && old.status === one.status && old.reason === one.reason,
        );
        return { ...one, lastTransitionTime: known?.lastTransitionTime ?? now() };
      }),
    };
    if (JSON.stringify(status) !== JSON.stringify(scaler.status ?? {}))
      store.updateStatus(SCALERS, { ...scaler, status }, { manager: MANAGER });
  }

  return () => {
    stop();
    queue.close();
  };
}

const condition = (type: string, status: string, reason: string, message: string): Json => ({
  type,
  status,
  reason,
  message,
});
