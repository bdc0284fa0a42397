import { describe, expect, test } from 'vitest';
import { baselineJob, checkBaselineHeadroom, compareBaselines, parsePgbench } from './baseline.ts';
import type { BaselineResult } from './types.ts';

describe('pgbench', () => {
  const output = `number of transactions actually processed: 25123
number of failed transactions: 0 (0.000%)
latency average = 0.398 ms
latency stddev = 0.120 ms
initial connection time = 12.044 ms
tps = 2512.330201 (without initial connection time)
progress: 5.0 s, 2500.4 tps, lat 0.400 ms stddev 0.121, 0 failed
progress: 10.0 s, 2524.2 tps, lat 0.396 ms stddev 0.119, 0 failed`;
  test('15 and later', () => {
    expect(parsePgbench(output)).toMatchObject({
      ok: true,
      value: {
        tps: 2512.330201,
        latencyAverageMs: 0.398,
        transactions: 25123,
        failed: 0,
        aborted: false,
        progress: [{ seconds: 5 }, { seconds: 10, tps: 2524.2 }],
      },
    });
  });
  test('13 and earlier', () => {
    const old =
      'number of transactions actually processed: 100/100\nlatency average = 1.5 ms\ntps = 666.1 (including connections establishing)\ntps = 670.2 (excluding connections establishing)\n';
    expect(parsePgbench(old)).toMatchObject({ ok: true, value: { tps: 670.2, transactions: 100 } });
  });
  test('an aborted run says so, no result is an error with pgbench’s words', () => {
    const aborted = parsePgbench(`${output}\nRun was aborted; the above results are incomplete.`);
    expect(aborted.ok && aborted.value.aborted).toBe(true);
    expect(parsePgbench('pgbench: error: could not connect')).toMatchObject({
      ok: false,
      error: { cause: 'pgbench: error: could not connect' },
    });
  });

  const result = (latencyAverageMs: number, more: Partial<BaselineResult> = {}): BaselineResult => ({
    tps: 10_000 / latencyAverageMs,
    latencyAverageMs,
    transactions: 5000,
    failed: 0,
    failedPercent: 0,
    aborted: false,
    progress: [],
    ...more,
  });
  test.each<[BaselineResult, BaselineResult, string]>([
    [result(20), result(21), 'pass'],
    [result(20), result(25), 'fail'],
    [result(0.4), result(0.9), 'pass'],
    [result(20), result(20, { failed: 1 }), 'fail'],
    [result(20), result(20, { aborted: true }), 'fail'],
    [result(20), result(20, { transactions: 50 }), 'inconclusive'],
  ])('comparison %#', (before, after, verdict) => expect(compareBaselines(before, after).verdict).toBe(verdict));

  test('the Job writes nothing, holds no password, and ends', () => {
    const [script, job] = baselineJob({
      namespace: 'nova',
      name: 'pgb-baseline',
      image: 'postgres:16',
      host: 'pgbouncer',
      port: 6432,
      database: 'nova',
      user: 'nova_user',
      passwordSecret: { name: 's', key: 'k' },
    });
    expect(script!.data['select.sql']).not.toMatch(/insert|update|delete|create|drop/i);
    const container = job!.spec.template.spec.containers[0];
    expect(container.command).toEqual(expect.arrayContaining(['-n', '-T', '20', '-p', '6432']));
    for (const flag of ['-i', '-d', '-t']) expect(container.command).not.toContain(flag);
    expect(container.env[0].valueFrom.secretKeyRef).toEqual({ name: 's', key: 'k' });
    expect(job!.spec.activeDeadlineSeconds).toBe(80);
  });
  test('too little headroom refuses the run', () => {
    const facts = { maxConnections: 100, superuserReserved: 3, reservedConnections: 0 };
    expect(checkBaselineHeadroom({ ...facts, current: 50 }).ok).toBe(true);
    expect(checkBaselineHeadroom({ ...facts, current: 85 })).toMatchObject({
      ok: false,
      error: {
        code: 'precondition-failed',
        cause:
          'max_connections 100 - reserved 3 - in use 85 = 12 free, 15 wanted (10 clients of pgbench, 5 kept for people)',
      },
    });
  });
});
