/** What may not change once an object exists, with the real server's words. */
import type { Json, KubeObject } from '../../contract.ts';
import { type Cause, forbiddenField, invalidValue } from '../errors.ts';
import { same } from './canonical.ts';

const STATEFUL_SET_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];
const STATEFUL_SET_TEXT =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
const POD_TEXT =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** Findings about the change from `before` to `after`. */
export function validateUpdate(before: KubeObject, after: KubeObject): Cause[] {
  const causes: Cause[] = [];
  switch (after.kind) {
    case 'Deployment':
    case 'ReplicaSet':
    case 'DaemonSet':
      unchanged(before.spec?.selector, after.spec?.selector, 'spec.selector', causes);
      break;
    case 'StatefulSet':
      if (!same(without(before.spec, STATEFUL_SET_MUTABLE), without(after.spec, STATEFUL_SET_MUTABLE))) {
        causes.push(forbiddenField('spec', STATEFUL_SET_TEXT));
      }
      break;
    case 'Job':
      unchanged(before.spec?.completions, after.spec?.completions, 'spec.completions', causes);
      unchanged(before.spec?.selector, after.spec?.selector, 'spec.selector', causes);
      if (before.spec?.suspend !== true)
        unchanged(before.spec?.template, after.spec?.template, 'spec.template', causes);
      unchanged(before.spec?.completionMode, after.spec?.completionMode, 'spec.completionMode', causes);
      break;
    case 'Pod':
      if (!same(podFixed(before.spec), podFixed(after.spec))) causes.push(forbiddenField('spec', POD_TEXT));
      break;
    case 'Service':
      if (before.spec?.type === after.spec?.type && before.spec?.clusterIP !== undefined) {
        if (after.spec?.clusterIP !== before.spec.clusterIP) {
          causes.push(invalidValue('spec.clusterIPs[0]', [after.spec?.clusterIP], 'may not change once set'));
        }
      }
      break;
    case 'Secret':
      if (before.type !== after.type) causes.push(invalidValue('type', after.type, 'field is immutable'));
      frozen(before, after, ['data'], causes);
      break;
    case 'ConfigMap':
      frozen(before, after, ['data', 'binaryData'], causes);
      break;
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      if (!same(before.roleRef, after.roleRef)) {
        causes.push(invalidValue('roleRef', after.roleRef, 'cannot change roleRef'));
      }
      break;
  }
  return causes;
}

function unchanged(before: Json, after: Json, field: string, causes: Cause[]): void {
  if (!same(before, after)) causes.push(invalidValue(field, after, 'field is immutable'));
}

function frozen(before: KubeObject, after: KubeObject, fields: string[], causes: Cause[]): void {
  if (before.immutable !== true) return;
  const text = 'field is immutable when `immutable` is set';
  if (after.immutable !== true) causes.push(forbiddenField('immutable', text));
  for (const field of fields) if (!same(before[field], after[field])) causes.push(forbiddenField(field, text));
}

function without(spec: Json, names: string[]): Json {
  return Object.fromEntries(Object.entries(spec ?? {}).filter(([name]) => !names.includes(name)));
}

/** The part of a pod's spec that may not change. `nodeName` is set by the binding, which isn't an update. */
function podFixed(spec: Json): Json {
  const rest = without(spec, [
    'activeDeadlineSeconds',
    'tolerations',
    'terminationGracePeriodSeconds',
    'ephemeralContainers',
    'nodeName',
  ]);
  for (const list of ['containers', 'initContainers']) {
    if (rest[list] !== undefined) rest[list] = rest[list].map((one: Json) => without(one, ['image', 'resources']));
  }
  return rest;
}
