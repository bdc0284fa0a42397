/**
 * The guide's step 5.2 without its traps: no `-i` (it drops and creates tables), no million writing transactions, no
 * `-d` (which means --debug up to 16), the pooler's port, a password from a Secret, limits, and the same script against
 * PostgreSQL directly so that the numbers mean something.
 */
import type { KubeObject } from '../pgbouncer/config-types.ts';
import { fail, ok, type Result } from '../result.ts';
import { headroom } from './capacity.ts';
import type { BaselineComparison, BaselineOptions, BaselineResult, CapacityFacts } from './types.ts';

/** Reads only, and needs no table. */
export const BASELINE_SCRIPT = '\\set n random(1, 1000000)\nselect :n::int as n, now() as at;\n';

const SCRIPT_PATH = '/baseline/select.sql';

/** The arguments of pgbench; no secret among them. */
export function pgbenchArguments(
  options: Pick<BaselineOptions, 'host' | 'port' | 'user' | 'database' | 'clients' | 'seconds' | 'protocol'>,
  script = SCRIPT_PATH,
): string[] {
  const clients = options.clients ?? 10;
  return [
    '-n',
    '-M',
    options.protocol ?? 'extended',
    '-f',
    script,
    '-c',
    String(clients),
    '-j',
    String(Math.min(2, clients)),
    '-T',
    String(options.seconds ?? 20),
    '-P',
    '5',
    '-h',
    options.host,
    '-p',
    String(options.port),
    '-U',
    options.user,
    options.database,
  ];
}

/** A ConfigMap with the script and a Job that runs it once, in the order in which they are applied. */
export function baselineJob(options: BaselineOptions): KubeObject[] {
  const labels = { app: options.name, 'app.kubernetes.io/managed-by': 'pgb-wizard', ...options.labels };
  const meta = {
    namespace: options.namespace,
    labels,
    ...(options.annotations ? { annotations: { ...options.annotations } } : {}),
  };
  const security = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true };
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${options.name}-script`, ...meta },
      data: { 'select.sql': BASELINE_SCRIPT },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: options.name, ...meta },
      spec: {
        backoffLimit: 0,
        activeDeadlineSeconds: (options.seconds ?? 20) + 60,
        ttlSecondsAfterFinished: 3600,
        template: {
          metadata: { labels, ...(options.annotations ? { annotations: { ...options.annotations } } : {}) },
          spec: {
            restartPolicy: 'Never',
            enableServiceLinks: false,
            automountServiceAccountToken: false,
            securityContext: {
              runAsNonRoot: true,
              runAsUser: 999,
              runAsGroup: 999,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            containers: [
              {
                name: 'pgbench',
                image: options.image,
                command: ['pgbench', ...pgbenchArguments(options)],
                env: [
                  { name: 'PGPASSWORD', valueFrom: { secretKeyRef: options.passwordSecret } },
                  { name: 'PGCONNECT_TIMEOUT', value: '10' },
                ],
                resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } },
                securityContext: security,
                volumeMounts: [{ name: 'script', mountPath: '/baseline', readOnly: true }],
              },
            ],
            volumes: [{ name: 'script', configMap: { name: `${options.name}-script` } }],
          },
        },
      },
    },
  ];
}

/** Connections that a measurement leaves to people and monitoring. */
const KEPT_FREE = 5;

/** Refuses (`precondition-failed`) a direct run that would leave PostgreSQL fewer than five free connections. */
export function checkBaselineHeadroom(
  facts: Pick<CapacityFacts, 'maxConnections' | 'superuserReserved' | 'reservedConnections' | 'current'>,
  clients = 10,
): Result<string> {
  const room = headroom(facts, clients + KEPT_FREE, `${clients} clients of pgbench, ${KEPT_FREE} kept for people`);
  return room.fits
    ? ok(room.text)
    : fail('precondition-failed', 'PostgreSQL has not enough free connections for the baseline', {
        cause: room.text,
        next: ['Run it with fewer clients, or through the pooler only'],
      });
}

/** Parses what pgbench 11 to 18 prints; `query-failed` when there is no result in it. */
export function parsePgbench(output: string): Result<BaselineResult> {
  const first = (pattern: RegExp) => {
    const match = pattern.exec(output);
    return match ? Number(match[1]) : undefined;
  };
  const tps =
    first(/^tps = ([\d.]+) \(without initial connection time\)/m) ??
    first(/^tps = ([\d.]+) \(excluding connections establishing\)/m) ??
    first(/^tps = ([\d.]+) \(including connections establishing\)/m);
  const latency = first(/^latency average = ([\d.]+) ms/m);
  const aborted = /Run was aborted|^pgbench: error:.*aborted/m.test(output);
  if (tps === undefined || latency === undefined) {
    const why = /^pgbench: (?:fatal|error): .*$/m.exec(output)?.[0];
    return fail('query-failed', 'pgbench printed no result', why ? { cause: why.slice(0, 300) } : {});
  }
  const stddev = first(/^latency stddev = ([\d.]+) ms/m);
  const initial = first(/^initial connection time = ([\d.]+) ms/m);
  const failed = /^number of failed transactions: (\d+) \(([\d.]+)%\)/m.exec(output);
  const progress = [
    ...output.matchAll(/^progress: ([\d.]+) s, ([\d.]+) tps, lat ([\d.]+) ms stddev ([\d.]+)(?:, (\d+) failed)?/gm),
  ];
  return ok({
    tps,
    latencyAverageMs: latency,
    ...(stddev === undefined ? {} : { latencyStddevMs: stddev }),
    ...(initial === undefined ? {} : { initialConnectionMs: initial }),
    transactions: first(/^number of transactions actually processed: (\d+)/m) ?? 0,
    failed: Number(failed?.[1] ?? 0),
    failedPercent: Number(failed?.[2] ?? 0),
    aborted,
    progress: progress.map((match) => ({
      seconds: Number(match[1]),
      tps: Number(match[2]),
      latencyMs: Number(match[3]),
    })),
  });
}

/** Runs shorter than this say nothing about 10 %. */
const FEWEST_TRANSACTIONS = 200;
/** Differences below this are the clock of a network, not the pooler: a hop costs a fraction of a millisecond. */
const NOISE_MS = 1;

/** `after` against `before`: average latency may grow by `tolerancePercent` (10, the guide's) or by one millisecond. */
export function compareBaselines(
  before: BaselineResult,
  after: BaselineResult,
  tolerancePercent = 10,
): BaselineComparison {
  const change = (from: number, to: number) => (from === 0 ? 0 : ((to - from) / from) * 100);
  const latencyChangePercent = change(before.latencyAverageMs, after.latencyAverageMs);
  const tpsChangePercent = change(before.tps, after.tps);
  const numbers = `latency ${before.latencyAverageMs} → ${after.latencyAverageMs} ms, ${Math.round(before.tps)} → ${Math.round(after.tps)} tps`;
  const result = (verdict: BaselineComparison['verdict'], why: string): BaselineComparison => ({
    verdict,
    summary: `${numbers}: ${why}`,
    latencyChangePercent,
    tpsChangePercent,
  });
  if (after.aborted || after.failed > 0)
    return result('fail', after.aborted ? 'the run was aborted' : `${after.failed} transactions failed`);
  if (before.aborted || Math.min(before.transactions, after.transactions) < FEWEST_TRANSACTIONS) {
    return result('inconclusive', 'too few transactions to compare');
  }
  if (latencyChangePercent <= tolerancePercent) return result('pass', `within ${tolerancePercent} %`);
  if (after.latencyAverageMs - before.latencyAverageMs <= NOISE_MS) {
    return result(
      'pass',
      `${latencyChangePercent.toFixed(0)} % is ${(after.latencyAverageMs - before.latencyAverageMs).toFixed(2)} ms, the price of one hop`,
    );
  }
  return result('fail', `more than ${tolerancePercent} % slower`);
}
