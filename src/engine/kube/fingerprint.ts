/** Equality of pod templates across versions: canonical JSON, hashed. */
import { createHash } from 'node:crypto';
import { HASH_LABELS } from './owners.ts';
import type { Json, KubeObject } from './types.ts';

/** JSON with sorted keys and without nulls: servers differ in the nulls they emit (`creationTimestamp: null` until 1.33). */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((v) => canonicalJson(v ?? null)).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const entries = Object.keys(value)
      .filter((key) => value[key] !== null && value[key] !== undefined)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
    return `{${entries.join(',')}}`;
  }
  return JSON.stringify(value ?? null);
}

/** sha256 of a pod template, without the labels that controllers add to ReplicaSets' copies. */
export function fingerprint(template: Json): string {
  const labels = template?.metadata?.labels;
  const added = Object.values(HASH_LABELS).filter((label) => labels?.[label] !== undefined);
  const without = Object.fromEntries(added.map((label) => [label, undefined]));
  const plain =
    added.length === 0
      ? template
      : { ...template, metadata: { ...template.metadata, labels: { ...labels, ...without } } };
  return createHash('sha256').update(canonicalJson(plain)).digest('hex');
}

/** Where a kind keeps its pod template, as a JSON pointer. */
export const templatePath = (kind: string): string =>
  kind === 'CronJob' ? '/spec/jobTemplate/spec/template' : kind === 'Pod' ? '' : '/spec/template';

/** The pod template of a workload. */
export function templateOf(object: KubeObject): Json {
  return object.kind === 'CronJob' ? object.spec?.jobTemplate?.spec?.template : object.spec?.template;
}
