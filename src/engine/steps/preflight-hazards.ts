/** The preflight's look at what a transaction pool does not keep, in every database of the plan. */
import type { Discovery } from '../kube/workload-types.ts';
import { loginsOf, loginText } from '../plan/logins.ts';
import { DRIVERS } from '../postgres/drivers.ts';
import { findHazards } from '../postgres/hazards.ts';
import type { HazardOptions, HazardReport } from '../postgres/types.ts';
import { ok, type Result } from '../result.ts';
import { driversOf } from './drivers-of.ts';
import { isPoolerVersionTold } from './plan-facts.ts';
import type { StepContext, StepFailure } from './types.ts';

/** In every database, as the role that uses it (or the admin's session, where there is one), each finding once. */
async function lookForHazards(
  ctx: StepContext,
  options: Omit<HazardOptions, 'role' | 'database'>,
): Promise<Result<HazardReport>> {
  const findings = new Map<string, HazardReport['findings'][number]>();
  const looked: HazardReport['looked'][number][] = [];
  const [first, ...others] = loginsOf(ctx.plan);
  for (const login of [first!, ...others]) {
    const session = login === first ? await ctx.pooler.inspector() : await ctx.pooler.postgres(login);
    const report = session.ok ? await findHazards(session.value, { ...options, ...login }) : session;
    if (!report.ok) return report;
    looked.push(
      ...report.value.looked.map((one) =>
        others.length > 0 ? { ...one, check: `${one.check}, ${loginText(login)}` } : one,
      ),
    );
    for (const one of report.value.findings) {
      const known = findings.get(one.id);
      const services = [...new Set([...(known?.services ?? []), ...(one.services ?? [])])];
      const detail = known && known.detail !== one.detail ? `${known.detail}; ${one.detail}` : one.detail;
      findings.set(one.id, { ...one, detail, ...(services.length > 0 ? { services } : {}) });
    }
  }
  return ok({ findings: [...findings.values()], looked });
}

export async function hazards(
  ctx: StepContext,
  found: Discovery,
  poolerVersion: Parameters<typeof findHazards>[1]['poolerVersion'],
): Promise<StepFailure | undefined> {
  ctx.waitingFor('what transaction pooling would break, from the live database');
  const owners = await ctx.fleet.podOwners(ctx.signal);
  const known = driversOf(found.workloads);
  ctx.fact('drivers', Object.fromEntries([...known].map(([name, { driver }]) => [name, driver])));
  const report = await lookForHazards(ctx, {
    podIps: owners.ok ? owners.value : new Map(),
    poolerVersion,
    // An address that turns prepared statements off is no hazard, whatever the driver does by default.
    drivers: new Map([...known].filter(([, { prepares }]) => prepares).map(([name, { driver }]) => [name, driver])),
  });
  if (!report.ok) {
    ctx.evidence({ check: 'transaction pooling hazards', verdict: 'inconclusive', observed: report.error.message });
    return undefined;
  }
  // Before a pooler runs its version may be a guess; p1.prepare looks again when it is known.
  const guessed = (one: (typeof report.value.findings)[number]) =>
    one.id === 'named-prepared-statements' && !isPoolerVersionTold(ctx.plan);
  const blocks = report.value.findings.filter((one) => one.severity === 'block' && !guessed(one));
  // With a certificate for the services nothing is left to do about their TLS.
  const settled = (one: (typeof report.value.findings)[number]) =>
    one.id === 'client-tls' && ctx.plan.pooler.tls?.client !== undefined;
  const warns = report.value.findings.filter((one) => (one.severity === 'warn' && !settled(one)) || guessed(one));
  const heldBack: Record<string, string[]> = {};
  for (const one of blocks)
    for (const name of one.services ?? []) heldBack[name] = [...(heldBack[name] ?? []), one.title];
  ctx.fact('heldBack', heldBack);
  const looked = report.value.looked.filter((one) => one.state === 'done').map((one) => one.check);
  const blind = report.value.looked
    .filter((one) => one.state === 'not-possible')
    .map((one) => `${one.check} (${one.note})`);
  ctx.evidence({
    check: 'transaction pooling hazards',
    verdict: blocks.length > 0 ? 'fail' : 'pass',
    observed:
      blocks.length > 0
        ? blocks.map((one) => `${one.title}${one.services?.length ? ` (${one.services.join(', ')})` : ''}`).join('; ')
        : `${warns.length} warnings; looked at ${looked.length} sources${blind.length > 0 ? `, not possible: ${blind.join(', ')}` : ''}`,
    expected: 'nothing that needs a session of its own',
    data: {
      looked,
      notPossible: blind,
      findings: report.value.findings.map((one) => `${one.severity}: ${one.title}: ${one.detail}`),
      heldBack,
      drivers: [...known].map(([name, { driver }]) => `${name}: ${DRIVERS[driver].title}`),
    },
  });
  // Whose it is tells more than the addresses of the sessions it was seen in; those are in the evidence.
  for (const one of warns) {
    const seen = one.services?.length ? one.services.join(', ') : one.detail;
    ctx.message('warn', `${one.title}: ${seen}.${one.fix ? ` ${one.fix}` : ''}`);
  }
  const names = Object.keys(heldBack);
  if (ctx.policy?.onBlocked === 'skip') {
    // A hazard that belongs to certain services keeps those on PostgreSQL; one of the whole database stops everything.
    for (const name of names) ctx.message('warn', `${name} is left out: ${heldBack[name]!.join('; ')}`);
    const already = (ctx.state().facts.blocked ?? {}) as Record<string, string>;
    ctx.fact('blocked', {
      ...already,
      ...Object.fromEntries(
        names.map((name) => [name, [already[name], ...heldBack[name]!].filter(Boolean).join('; ')]),
      ),
    });
  }
  const stopping = ctx.policy?.onBlocked === 'skip' ? blocks.filter((one) => !one.services?.length) : blocks;
  if (stopping.length === 0) return undefined;
  return {
    cause: stopping.map((one) => `${one.title}: ${one.detail}`).join('; '),
    hint: `${names.length > 0 ? `Holds back ${names.join(', ')}. ` : ''}${stopping.map((one) => one.fix ?? '').join(' ')}`,
  };
}
