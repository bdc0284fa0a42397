/** A cluster that is only read: what `--dry-run=client` works on. */
import fastJsonPatch from 'fast-json-patch';
import { err, ok, type Result, wizardError } from '../result.ts';
import type { ApplyOptions, JsonPatchOp, Kube, KubeObject, Ref, WriteOptions } from './types.ts';

/**
 * The same cluster, with every server-side dry run worked out here from what is read: no permission to write is needed, and
 * no admission webhook hears of it. What admission would add, or refuse, is not seen. A write that is no dry run is an
 * `internal` error: a dry run must never get that far.
 */
export function withoutWrites(kube: Kube): Kube {
  const refuse = async <T>(what: string): Promise<Result<T>> =>
    err(wizardError('internal', `a dry run was about to ${what}`));
  const dry = (options: WriteOptions | undefined, what: string, make: () => Promise<Result<KubeObject>>) =>
    options?.dryRun ? make() : refuse<KubeObject>(what);
  return {
    ...kube,
    // An access review is a question that is put as a POST.
    create: (ref, object, options) =>
      ref.plural.endsWith('reviews')
        ? kube.create(ref, object, options)
        : dry(options, `create ${ref.kind} ${ref.name}`, async () => ok(object)),
    replace: (ref, object, options) => dry(options, `replace ${ref.kind} ${ref.name}`, async () => ok(object)),
    patch: (ref, ops, options) => dry(options, `patch ${ref.kind} ${ref.name}`, () => patched(kube, ref, ops, options)),
    mergePatch: (ref) => refuse(`patch ${ref.kind} ${ref.name}`),
    apply: (ref, object, options) =>
      dry(options, `apply ${ref.kind} ${ref.name}`, () => applied(kube, ref, object, options)),
    delete: (ref) => refuse(`delete ${ref.kind} ${ref.name}`),
  };
}

async function patched(
  kube: Kube,
  ref: Ref,
  ops: readonly JsonPatchOp[],
  options: WriteOptions | undefined,
): Promise<Result<KubeObject>> {
  const live = await kube.get(ref, options?.signal ? { signal: options.signal } : {});
  if (!live.ok) return live;
  try {
    const { newDocument } = fastJsonPatch.applyPatch(
      structuredClone(live.value),
      structuredClone([...ops]),
      true,
      true,
    );
    return ok(newDocument);
  } catch (error) {
    if (!(error instanceof fastJsonPatch.JsonPatchError)) throw error;
    return err(wizardError('precondition-failed', `${ref.kind} ${ref.name} is not what it was when it was looked at`));
  }
}

/** Without the server's field ownership: the fields of the new object over those that are there. */
async function applied(
  kube: Kube,
  ref: Ref,
  object: KubeObject,
  options: ApplyOptions | undefined,
): Promise<Result<KubeObject>> {
  const live = await kube.get(ref, options?.signal ? { signal: options.signal } : {});
  if (!live.ok) return live.error.code === 'not-found' ? ok(object) : live;
  return ok(over(live.value, object));
}

// biome-ignore lint/suspicious/noExplicitAny: objects of the cluster have no shape that is known here
function over(live: any, wanted: any): any {
  if (typeof live !== 'object' || typeof wanted !== 'object' || live === null || wanted === null) return wanted;
  // Lists are compared as wholes but for what the server fills in: element by element where the lengths agree.
  if (Array.isArray(live) !== Array.isArray(wanted)) return wanted;
  if (Array.isArray(wanted)) {
    return live.length === wanted.length ? wanted.map((one, index) => over(live[index], one)) : wanted;
  }
  return Object.fromEntries(
    [...new Set([...Object.keys(live), ...Object.keys(wanted)])].map((key) => [
      key,
      key in wanted ? over(live[key], wanted[key]) : live[key],
    ]),
  );
}
