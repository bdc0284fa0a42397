/** The poolers' own logs, of every pod: their lines, and what they complain about. */
import { scanPoolerLog } from '../pgbouncer/log-scan.ts';
import { fail, ok, type Result } from '../result.ts';
import { couldNot, type Look } from './looks.ts';
import type { LookContext } from './types.ts';

export interface PoolerLog {
  readonly pod: string;
  readonly lines: readonly string[];
}

/** The log of each pooler pod. Errors: those of the cluster, and `not-found` when no pooler runs. */
export async function poolerLogs(
  ctx: LookContext,
  options: { readonly tail: number; readonly sinceSeconds?: number; readonly timestamps?: boolean },
): Promise<Result<PoolerLog[]>> {
  const pods = await ctx.pooler.pods(ctx.signal);
  if (!pods.ok) return pods;
  if (pods.value.length === 0) return fail('not-found', 'no pooler pod runs');
  const logs: PoolerLog[] = [];
  for (const { name, container } of pods.value) {
    const log = await ctx.kube.logs(ctx.fleet.namespace, name, { container, ...options, signal: ctx.signal });
    if (!log.ok) return log;
    logs.push({ pod: name, lines: log.value.split('\n').filter((line) => line !== '') });
  }
  return ok(logs);
}

/** Classified (the guide's grep for `query_timeout` never matches the real text). */
export async function lookAtPoolerLogs(
  ctx: LookContext,
  sinceSeconds: number,
): Promise<Look & { readonly ids: readonly string[] }> {
  const logs = await poolerLogs(ctx, { tail: 2000, sinceSeconds: Math.max(1, Math.ceil(sinceSeconds)) });
  if (!logs.ok) return { ...couldNot(logs.error.message), ids: [] };
  let lines = 0;
  let errors = 0;
  const ids = new Set<string>();
  const bad: string[] = [];
  for (const log of logs.value) {
    const scan = scanPoolerLog(log.lines);
    lines += scan.lines;
    errors += scan.errors;
    for (const entry of scan.entries.filter((one) => one.severity !== 'info')) {
      ids.add(entry.id);
      bad.push(`${log.pod}: ${entry.text}${entry.count > 1 ? ` (${entry.count} times)` : ''}`);
    }
  }
  return {
    verdict: bad.length === 0 ? 'pass' : 'fail',
    observed:
      bad.length === 0
        ? `0 of ${lines} lines of ${logs.value.length} poolers`
        : `${bad.length} kinds of error: ${bad[0]}`,
    expected: 'no errors',
    data: { lines, errors, kinds: ids.size },
    lines: bad.slice(0, 20),
    ids: [...ids],
  };
}
