/** The `scale` subresource: a workload's replicas as an `autoscaling/v1` Scale. */
import type { Json, KubeObject } from '../contract.ts';
import { badRequest } from './errors.ts';
import { copy } from './registry/canonical.ts';

export function scaleOf(object: KubeObject): Json {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = Object.entries(object.spec?.selector?.matchLabels ?? {})
    .sort()
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: object.spec?.replicas ? { replicas: object.spec.replicas } : {},
    status: { replicas: object.status?.replicas ?? 0, selector },
  };
}

/** The workload with the replicas of `scale`; its resourceVersion, when set, is the precondition. */
export function withScale(object: KubeObject, scale: Json): KubeObject {
  const replicas = scale?.spec?.replicas ?? 0;
  if (typeof replicas !== 'number' || replicas < 0)
    throw badRequest(`spec.replicas: Invalid value: ${JSON.stringify(replicas)}`);
  const next = copy(object);
  next.spec.replicas = replicas;
  const wanted = scale.metadata?.resourceVersion;
  if (wanted !== undefined && wanted !== '') next.metadata.resourceVersion = wanted;
  else delete next.metadata.resourceVersion;
  return next;
}
