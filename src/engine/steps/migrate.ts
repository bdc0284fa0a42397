/** Guide 2.1, 2.5, 3.1, 3.3, 4.1, 4.3, 4.4: one service, or a batch with bounded parallelism. */
import { ok, type Result } from '../result.ts';
import type { ChangePreview, StepInfo } from '../run/model.ts';
import { whyNotSwitched } from './not-switched.ts';
import { keepOriginals } from './originals.ts';
import { knowSecrets } from './p1-credentials.ts';
import { ensureOriginals } from './p1-prepare.ts';
import { goForward, previewForward, verifyForward } from './switch-service.ts';
import type { Step, StepContext, StepFailure, StepResult } from './types.ts';

/** Services of the step that are to be switched: not those that the plan names but the cluster gives nothing to switch. */
const due = (ctx: StepContext, services: readonly string[]): string[] =>
  services.filter((service) => ctx.fleet.original(service) !== undefined);

export function migrateStep(info: StepInfo, services: readonly string[], parallelism: number): Step {
  return {
    info,
    async plan(ctx) {
      const ready = await ready_(ctx);
      if (!ready.ok) return ready;
      const previews: ChangePreview[] = [];
      const moving = due(ctx, services);
      for (const service of moving) {
        ctx.waitingFor(`what is there now of ${service}`);
        const preview = await previewForward(ctx, service);
        if (!preview.ok) return preview;
        previews.push(withHazards(ctx, service, preview.value));
      }
      if (previews.length === 0) return ok(undefined);
      return ok(withCriticalWarning(ctx, moving, joined(previews, moving, parallelism)));
    },
    async apply(ctx) {
      // The way back before the way forward.
      const kept = await keepOriginals(ctx);
      if (!kept.ok) return kept;
      // A batch sends and follows each service in `verify`, so that no more than `parallelism` are on their way at once.
      if (services.length > 1) return ok(undefined);
      return goForward(ctx, services[0]!);
    },
    async verify(ctx) {
      const ready = await ready_(ctx);
      if (!ready.ok) return ready;
      const [only, ...more] = due(ctx, services);
      if (!only) {
        const notes = services.map((service) => `${service}: ${whyNotSwitched(ctx, service) ?? 'nothing to switch'}`);
        return ok({ verdict: 'skipped', note: notes.join('; ') });
      }
      if (services.length === 1 && more.length === 0) return verifyForward(ctx, only);
      return verifyBatch(ctx, [only, ...more], parallelism);
    },
  };
}

/** What the preflight found that this service does and a transaction pool does not keep. */
function withHazards(ctx: StepContext, service: string, preview: ChangePreview): ChangePreview {
  const held = (ctx.state().facts.heldBack as Record<string, string[]> | undefined)?.[service] ?? [];
  if (held.length === 0) return preview;
  return {
    ...preview,
    warnings: [...(preview.warnings ?? []), ...held.map((title) => `${service}: the preflight found: ${title}`)],
  };
}

/** A service that the plan calls critical is asked for by itself, also when its phase was approved as a whole. */
function withCriticalWarning(ctx: StepContext, services: readonly string[], preview: ChangePreview): ChangePreview {
  const critical = services.filter((name) => ctx.fleet.service(name)?.traffic === 'critical');
  if (critical.length === 0 || preview.alreadyDone) return preview;
  const warning = `the plan calls ${critical.join(', ')} critical: it moves only after a look of its own`;
  return { ...preview, warnings: [...(preview.warnings ?? []), warning] };
}

async function ready_(ctx: StepContext): Promise<Result<void>> {
  const secrets = await knowSecrets(ctx);
  if (!secrets.ok) return secrets;
  const originals = await ensureOriginals(ctx);
  if (originals.ok) ctx.pooler.watch();
  return originals;
}

function joined(previews: readonly ChangePreview[], services: readonly string[], parallelism: number): ChangePreview {
  const [first] = previews;
  if (previews.length === 1 && first) return first;
  return {
    summary: `switch ${previews.length} services to the pooler, ${parallelism} at a time`,
    diff: previews.flatMap((preview, index) => [
      { kind: 'title' as const, text: services[index] ?? '' },
      ...preview.diff,
    ]),
    commands: previews.flatMap((preview) => preview.commands),
    ...(previews.some((preview) => preview.warnings?.length)
      ? { warnings: previews.flatMap((preview) => preview.warnings ?? []) }
      : {}),
    departures: [
      `The guide switches all ${previews.length} at once, which is its largest blast radius. Here ${parallelism} move at a time, and none starts after one failed.`,
      ...new Set(previews.flatMap((preview) => preview.departures ?? [])),
    ],
    alreadyDone: previews.every((preview) => preview.alreadyDone === true),
    destructive: true,
  };
}

async function verifyBatch(
  ctx: StepContext,
  services: readonly string[],
  parallelism: number,
): Promise<Result<StepResult>> {
  const queue = [...services];
  const failures: StepFailure[] = [];
  let open = false;
  const worker = async (): Promise<void> => {
    for (;;) {
      if (failures.length > 0 || ctx.signal.aborted) return;
      const service = queue.shift();
      if (service === undefined) return;
      const sent = await goForward(ctx, service);
      if (!sent.ok) {
        failures.push({
          cause: `${service}: ${sent.error.message}`,
          hint: sent.error.next?.join(' ') ?? '',
          service,
          symptoms: [sent.error.message],
          error: sent.error,
        });
        return;
      }
      const seen = await verifyForward(ctx, service);
      if (!seen.ok)
        failures.push({
          cause: `${service}: ${seen.error.message}`,
          hint: seen.error.next?.join(' ') ?? '',
          service,
          error: seen.error,
        });
      else if (seen.value.verdict === 'fail')
        failures.push(seen.value.failure ?? { cause: `${service} failed`, hint: '', service });
      else if (seen.value.verdict !== 'pass') open = true;
    }
  };
  // goForward is safe to call again: a service that is switched already is only followed and proved anew.
  await Promise.all(Array.from({ length: Math.max(1, parallelism) }, worker));
  const [first] = failures;
  if (first) {
    const left =
      queue.length > 0 ? ` ${queue.length} services of the batch were not started: ${queue.join(', ')}.` : '';
    return ok({ verdict: 'fail', failure: { ...first, hint: `${first.hint}${left}` } });
  }
  return ok({ verdict: open ? 'inconclusive' : 'pass' });
}
