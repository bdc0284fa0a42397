/** The Secrets and ConfigMaps that a change brings along. */
import { fail, ok, type Result } from '../result.ts';
import { inside } from './change.ts';
import { canonicalJson } from './fingerprint.ts';
import type { SendOptions } from './option-types.ts';
import type { Kube } from './types.ts';
import type { WorkloadChange } from './workload-types.ts';

/**
 * Creates the new Secrets and ConfigMaps of a change. Safe to repeat: an equal object of the same run counts as made.
 * Error `already-exists` when the name is taken by something else.
 */
export async function createObjects(
  kube: Kube,
  change: WorkloadChange,
  options: SendOptions = {},
): Promise<Result<{ created: string[] }>> {
  const created: string[] = [];
  for (const { ref: of, manifest } of inside(change).objects) {
    const sent = await kube.create(of, manifest, options);
    if (sent.ok) {
      created.push(of.name);
      continue;
    }
    if (sent.error.code !== 'already-exists') return sent;
    const there = await kube.get(of, options.signal ? { signal: options.signal } : {});
    if (!there.ok) return there;
    const equal =
      canonicalJson(there.value.data ?? {}) === canonicalJson(manifest.data) &&
      there.value.metadata.labels?.['pgb-wizard.dev/run'] === manifest.metadata.labels['pgb-wizard.dev/run'];
    if (!equal) {
      return fail('already-exists', `${of.kind} ${of.name} exists already and is not this run's`, {
        next: [
          `Look at it: kubectl describe ${of.kind.toLowerCase()} ${of.name} -n ${of.namespace}`,
          'Delete or rename it, then retry.',
        ],
      });
    }
  }
  return ok({ created });
}

/** Deletes the objects of a change; only after a rollback, and only while nothing uses them. */
export async function deleteObjects(
  kube: Kube,
  change: WorkloadChange,
  options: SendOptions = {},
): Promise<Result<void>> {
  for (const { ref: of } of inside(change).objects) {
    const sent = await kube.delete(of, options);
    if (!sent.ok && sent.error.code !== 'not-found') return sent;
  }
  return ok(undefined);
}
