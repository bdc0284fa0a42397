/** The guide's monitoring checklist: eight items after every phase, each an observation made now. */
import { CHECKLIST } from '../plan/checklist.ts';
import { ok } from '../result.ts';
import type { ChecklistItem, StepInfo } from '../run/model.ts';
import { GateWatch, gatesFor } from './gate-watch.ts';
import { type Look, lookAtHealth, lookAtPods, lookAtServices, withPods } from './looks.ts';
import { switchedOf } from './not-switched.ts';
import { ensureSecrets } from './p1-credentials.ts';
import { lookAtPoolerLogs } from './pooler-logs.ts';
import { lookAtLogs } from './service-logs.ts';
import type { Step, StepContext } from './types.ts';

type Item = (typeof CHECKLIST)[number];

export function checklistStep(info: StepInfo, services: readonly string[]): Step {
  return {
    info,
    async verify(ctx) {
      const ready = await ensureSecrets(ctx);
      if (!ready.ok) return ready;
      const switched = switchedOf(ctx, services);
      if (switched.length === 0) return ok({ verdict: 'skipped', note: 'no service of the phase is switched' });
      const { running: due, idle } = await withPods(ctx, switched);
      if (due.length === 0) return ok({ verdict: 'skipped', note: idle.join('; ') });
      for (const why of idle) ctx.message('info', why);
      const seen = await observeAll(ctx, due);
      const items: ChecklistItem[] = CHECKLIST.map((item) => ({
        phase: info.phase,
        item,
        verdict: seen[item].verdict,
        observed: seen[item].observed,
        at: new Date(ctx.clock.now()).toISOString(),
      }));
      ctx.checklist(items);
      for (const item of items)
        ctx.evidence({
          check: item.item,
          verdict: item.verdict === 'todo' ? 'inconclusive' : item.verdict,
          observed: item.observed,
        });
      const verdicts = items.map((item) => item.verdict);
      return ok({
        verdict: verdicts.includes('fail') ? 'fail' : verdicts.includes('inconclusive') ? 'inconclusive' : 'pass',
      });
    },
  };
}

const LOOK_BACK_SECONDS = 120;

async function observeAll(ctx: StepContext, services: readonly string[]): Promise<Record<Item, Look>> {
  const looks = await lookAtServices(ctx, services, async (name, found) => {
    const service = ctx.fleet.service(name);
    const unseen = (observed: string) => ({
      pods: { verdict: 'inconclusive', observed } as Look,
      logs: [],
      health: [],
    });
    if (!service) return unseen(`${name} is not in the plan`);
    if (!found.ok) return unseen(found.error.message);
    ctx.waitingFor(`${name}: pods, logs and health`);
    const [logs, health] = await Promise.all([
      lookAtLogs(ctx, name, found.value, LOOK_BACK_SECONDS),
      lookAtHealth(ctx, service, found.value),
    ]);
    return { pods: lookAtPods(found.value, name), logs: [logs], health: [health] };
  });
  ctx.waitingFor('the pools and their logs');
  // A gate needs N failures in a row; the checklist looks as often as that, so that one spike is no verdict.
  const watch = new GateWatch(ctx, await gatesFor(ctx, services), services);
  const views = await watch.over(0, 1);
  const gate = (id: string): Look => {
    const view = views.find((one) => one.id === id);
    return view
      ? { verdict: view.verdict, observed: view.observed, expected: view.limit }
      : { verdict: 'inconclusive', observed: 'not measured' };
  };
  const pooler = await lookAtPoolerLogs(ctx, LOOK_BACK_SECONDS);
  const timeouts = pooler.ids.filter((id) => /timeout|unreachable|dns/.test(id));
  const view = await ctx.pooler.sample();
  const warm = view?.rows.reduce((sum, row) => sum + row.svIdle + row.svUsed, 0) ?? 0;
  return {
    'Pod is Running and Ready': together(looks.map((one) => one.pods)),
    'No errors in pod logs': together(looks.flatMap((one) => one.logs)),
    // Between 30 s and their next use, idle connections stand in sv_used; both are idle.
    'PgBouncer pool shows idle connections': view
      ? {
          verdict: warm > 0 ? 'pass' : 'inconclusive',
          observed: `${warm} idle (sv_idle + sv_used) in ${view.poolers.length} poolers`,
        }
      : { verdict: 'inconclusive', observed: 'no console answered' },
    'Application health checks passing': together(looks.flatMap((one) => one.health)),
    'Database queries executing normally': gate('query-time'),
    'No connection timeouts':
      pooler.verdict === 'inconclusive'
        ? { verdict: 'inconclusive', observed: pooler.observed }
        : {
            verdict: timeouts.length === 0 ? 'pass' : 'fail',
            observed: timeouts.length === 0 ? 'none in the logs of the poolers' : timeouts.join(', '),
          },
    'Response times normal (within 10% of baseline)': gate('response-time'),
    'Error rate normal (0%)': gate('error-rate'),
  };
}

/** Several looks as one: the worst verdict, and what was seen of it. */
function together(looks: readonly Look[]): Look {
  const bad = looks.find((one) => one.verdict === 'fail') ?? looks.find((one) => one.verdict === 'inconclusive');
  if (bad) return bad;
  if (looks.length === 0) return { verdict: 'inconclusive', observed: 'nothing looked at' };
  const [first] = looks;
  const same = looks.every((one) => one.observed === first?.observed);
  return {
    verdict: 'pass',
    observed:
      looks.length === 1
        ? first!.observed
        : `${looks.length} services, ${same ? 'each' : 'one of them'}: ${first!.observed}`,
  };
}
