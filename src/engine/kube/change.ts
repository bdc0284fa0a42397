/**
 * A change of one workload as it is kept: its public part, and sealed what may hold passwords (the edits, the new objects, the
 * template before). The sealed text is what the originals in the cluster are made of.
 */
import { fail, ok, type Result } from '../result.ts';
import type { Edit } from './edits.ts';
import type { PlanSwitchOptions } from './option-types.ts';
import type { NewObject } from './owned-objects.ts';
import { Sealed } from './sealed.ts';
import type { Json, KubeObject } from './types.ts';
import type { WorkloadChange } from './workload-types.ts';

/** What `sealed` holds beside the public part. */
export interface Inside {
  readonly edits: readonly Edit[];
  readonly objects: readonly NewObject[];
  /** The pod template before, to name what others changed meanwhile. */
  readonly template: Json;
}

const opened = new WeakMap<WorkloadChange, Inside>();

/** For the modules of a switch only. */
export function inside(change: WorkloadChange): Inside {
  const known = opened.get(change);
  if (known) return known;
  const { inside: read } = JSON.parse(change.sealed.reveal()) as { inside: Inside };
  opened.set(change, read);
  return read;
}

/** Of a plan against the live object. */
export function seal(
  live: KubeObject,
  options: PlanSwitchOptions,
  before: string,
  after: string,
  content: Inside,
  rest: Pick<WorkloadChange, 'sources' | 'preview' | 'alreadyDone' | 'clusterWarnings'>,
): WorkloadChange {
  const { kind, apiVersion } = live;
  const open = {
    ref: {
      apiVersion,
      kind,
      plural: `${kind.toLowerCase()}s`,
      namespace: live.metadata.namespace,
      name: live.metadata.name,
    },
    uid: live.metadata.uid,
    runId: options.runId,
    to: options.to,
    generation: live.metadata.generation ?? 0,
    before,
    after,
    ...rest,
    objects: content.objects.map((o) => ({ ref: o.ref, keys: Object.keys(o.manifest.data) })),
  };
  const { edits, objects, template } = content;
  const change: WorkloadChange = {
    ...open,
    sealed: new Sealed(JSON.stringify({ open, inside: { edits, objects, template } })),
  };
  opened.set(change, { edits, objects, template });
  return change;
}

/** Reads a change back from the originals Secret (text of `sealed`, or the parsed JSON). */
export function restoreChange(sealed: string | Json): Result<WorkloadChange> {
  const text = typeof sealed === 'string' ? sealed : JSON.stringify(sealed);
  try {
    const { open, inside: content } = JSON.parse(text);
    if (!open?.ref || !Array.isArray(content?.edits)) throw new Error('not a change');
    return ok({ ...open, sealed: new Sealed(text) });
  } catch {
    return fail('record-invalid', 'the originals of this run cannot be read', {
      next: ["Look at the run's Secret in the cluster; it must not have been edited."],
    });
  }
}

/** The entries of a change, for the fight detector. */
export const editsOf = (change: WorkloadChange): readonly Edit[] => inside(change).edits;

/** The Secrets and ConfigMaps of a change, with their data: for what makes them elsewhere. */
export const newObjectsOf = (change: WorkloadChange): readonly NewObject[] => inside(change).objects;
