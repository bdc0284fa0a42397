/** What the doctor finds behind a failed step: its own symptoms, the poolers' logs, and the state of the pools. */
import { diagnose } from '../pgbouncer/diagnosis.ts';
import type { DoctorFinding } from '../run/model.ts';
import { lookAtPoolerLogs } from './looks.ts';
import type { StepContext, StepFailure } from './types.ts';

const LOOK_BACK_SECONDS = 30;

/** Never fails: what can't be looked at adds nothing. */
export async function diagnoseFailure(failure: StepFailure, ctx: StepContext): Promise<readonly DoctorFinding[]> {
  const own = diagnose(failure.symptoms ?? []);
  if (ctx.signal.aborted || ctx.state().facts.poolerVersion === undefined) return own;
  const waiting = await exhausted(ctx);
  const logs = await lookAtPoolerLogs(ctx, LOOK_BACK_SECONDS);
  const known = new Set(own.map((one) => one.cause));
  const fromLogs = diagnose(logs.lines ?? []).filter((one) => !known.has(one.cause));
  // The failure's own words come first: the log of a shared pooler may speak of another service.
  return [...own, ...(waiting ? [waiting] : []), ...fromLogs];
}

/** Clients wait while every server connection is taken. */
async function exhausted(ctx: StepContext): Promise<DoctorFinding | undefined> {
  const view = await ctx.pooler.sample();
  const rows = view?.rows.filter((row) => row.clWaiting > 0) ?? [];
  if (rows.length === 0) return undefined;
  const waiting = rows.reduce((sum, row) => sum + row.clWaiting, 0);
  const longest = Math.max(...rows.map((row) => row.maxwaitMs));
  const idle = await idleInTransaction(ctx);
  return {
    symptom: `${waiting} clients wait for a server connection, ${(longest / 1000).toFixed(1)} s at most`,
    cause:
      idle > 0
        ? `the pool is exhausted: ${idle} transactions stay open (idle in transaction)`
        : 'the pool is exhausted: every server connection is in use',
    check: 'SHOW POOLS of every pooler, pg_stat_activity',
    observed: rows
      .map((row) => `${row.pod}: ${row.clWaiting} waiting, ${row.svActive} active, ${row.svIdle + row.svUsed} idle`)
      .join('; '),
    fix: 'Roll the service back that leaves transactions open. A larger pool only moves the moment at which it is full.',
  };
}

async function idleInTransaction(ctx: StepContext): Promise<number> {
  const session = await ctx.pooler.postgres();
  if (!session.ok) return 0;
  const rows = await session.value.query(
    `select count(*)::int as n from pg_stat_activity
      where usename = $1 and state like 'idle in transaction%' and clock_timestamp() - state_change > interval '1 second'`,
    [ctx.plan.postgres.role],
  );
  return rows.ok ? Number(rows.value[0]?.n ?? 0) : 0;
}
