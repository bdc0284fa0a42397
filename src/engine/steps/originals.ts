/** The Secret without which nobody can go back: written once, and looked at again before each service moves. */
import { randomBytes } from 'node:crypto';
import { ref } from '../kube/refs.ts';
import { saveOriginals } from '../kube/run-state.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import { ok, type Result } from '../result.ts';
import type { StepContext } from './types.ts';

export const originalsName = (ctx: Pick<StepContext, 'runId'>): string => `pgb-wizard-run-${ctx.runId}`;

/** Creates the Secret, through the write-ahead protocol. */
export async function writeOriginals(ctx: StepContext, changes: readonly WorkloadChange[]): Promise<Result<void>> {
  const name = originalsName(ctx);
  const sent = await ctx.call(
    { verb: 'create', target: { kind: 'Secret', namespace: ctx.fleet.namespace, name }, direction: 'forward' },
    async (auditId) => {
      const originals = {
        v: 1 as const,
        runId: ctx.runId,
        planName: ctx.plan.name,
        changes: Object.fromEntries(changes.map((change) => [change.ref.name, change.sealed.reveal()])),
        hmacKey: randomBytes(32).toString('hex'),
      };
      const done = await saveOriginals(ctx.kube, ctx.fleet.namespace, originals, { auditId });
      return done.ok ? ok({}) : done;
    },
  );
  return sent.ok ? ok(undefined) : sent;
}

/**
 * Somebody may have deleted it since. This session still holds the originals, and the next one would not: it is written
 * again, and said. Errors: those of reading and writing; then nothing moves.
 */
export async function keepOriginals(ctx: StepContext): Promise<Result<'there' | 'written again'>> {
  const name = originalsName(ctx);
  const found = await ctx.kube.get(ref('Secret', ctx.fleet.namespace, name), { signal: ctx.signal });
  if (found.ok) return ok('there');
  if (found.error.code !== 'not-found') return found;
  const changes = ctx.fleet.services().flatMap((service) => ctx.fleet.original(service.name) ?? []);
  if (changes.length === 0) return ok('there');
  const written = await writeOriginals(ctx, changes);
  if (!written.ok) return written;
  ctx.message('error', `Secret ${name} with the originals was deleted; it was written again, see who did that`);
  return ok('written again');
}
