/** What is measured, invented: evidence, pools, gates, the checklist. */
import type { Evidence, GateView, PoolRow, PoolSample, PoolsView } from '../../engine/run/model.ts';
import { at } from './fleet.ts';

const PODS = ['pgbouncer-7d9c5b8f4-fzxtq', 'pgbouncer-7d9c5b8f4-hgh6q'] as const;

export function evidence(check: string, verdict: Evidence['verdict'], observed: string, expected?: string): Evidence {
  return { check, verdict, observed, ...(expected === undefined ? {} : { expected }), at: at(41 * 60_000) };
}

function poolRow(pod: string, n: number, more: Partial<PoolRow> = {}): PoolRow {
  return {
    pod,
    database: 'nova',
    user: 'nova_user',
    clActive: 3 + (n % 3),
    clWaiting: 0,
    svActive: n % 2,
    svIdle: 8 + (n % 3),
    svUsed: 1,
    svTested: 0,
    svLogin: 0,
    maxwaitMs: 0,
    poolMode: 'transaction',
    queriesPerSecond: 190 + ((n * 37) % 60),
    avgQueryMs: 1.2 + (n % 4) * 0.3,
    avgWaitMs: 0,
    ...more,
  };
}

export function pools(
  options: {
    podCount?: number;
    poolsPerPod?: number;
    samples?: number;
    waiting?: number;
    state?: 'ok' | 'stale' | 'down';
  } = {},
): PoolsView {
  const { podCount = 2, poolsPerPod = 1, samples = 60, waiting = 0, state = 'ok' } = options;
  const names = Array.from(
    { length: podCount },
    (_, i) => PODS[i] ?? `pgbouncer-7d9c5b8f4-p${String(i).padStart(4, '0')}`,
  );
  const rowsAt = (n: number) =>
    names.flatMap((pod, p) =>
      Array.from({ length: poolsPerPod }, (_, i) =>
        poolRow(pod, n + p * 3 + i, {
          ...(i === 0 ? {} : { database: `tenant_${i}` }),
          clWaiting: p === 0 && i === 0 ? waiting : 0,
          maxwaitMs: p === 0 && i === 0 && waiting > 0 ? 1800 : 0,
        }),
      ),
    );
  const history: PoolSample[] = Array.from({ length: samples }, (_, n) => ({
    at: at(41 * 60_000 + (n - samples) * 2000),
    rows: rowsAt(n),
  }));
  return {
    poolers: names.map((pod, i) => ({
      pod,
      version: '1.18.0',
      state: i === 0 ? state : 'ok',
      ageMs: i === 0 && state !== 'ok' ? 42_000 : 800,
      ...(i === 0 && state === 'down' ? { error: 'the port-forward ended: pod not found' } : {}),
    })),
    rows: rowsAt(samples),
    history,
    everyMs: 2000,
    postgres: { maxConnections: 200, total: 56, pooled: 20, direct: 31, other: 5, ageMs: 900, expectedPooled: 20 },
  };
}
export const CHECKLIST: readonly string[] = [
  'All service pods are Running and Ready',
  'PgBouncer pods are Running, 2/2 Ready',
  'No authentication errors in the logs',
  'Pool utilisation is below 80 %',
  'No client waits for a connection',
  'Metrics reach Prometheus',
  'Health endpoints answer',
  'PostgreSQL connections are as computed',
];

export function gates(verdict: GateView['verdict'] = 'pass'): GateView[] {
  const history = (base: number, last: GateView['verdict']) =>
    Array.from({ length: 24 }, (_, n) => ({
      at: at(n * 30_000),
      verdict: n > 20 ? last : ('pass' as const),
      value: base + ((n * 5) % 7),
    }));
  return [
    {
      id: 'waiting',
      title: 'clients waiting',
      verdict,
      observed: verdict === 'pass' ? '0' : '7 in 3 samples',
      limit: '0',
      history: history(0, verdict),
    },
    {
      id: 'active',
      title: 'servers active',
      verdict: 'pass',
      observed: '9',
      limit: 'at most 40',
      history: history(9, 'pass'),
    },
    {
      id: 'latency',
      title: 'query time',
      verdict: 'pass',
      observed: '1.4 ms',
      limit: 'at most 5 s',
      history: history(1, 'pass'),
    },
    {
      id: 'errors',
      title: 'errors in the logs',
      verdict: 'inconclusive',
      observed: 'cdn-service has no log',
      limit: '0 new',
      history: history(0, 'inconclusive'),
    },
  ];
}
