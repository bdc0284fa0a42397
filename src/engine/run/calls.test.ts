import { expect, test } from 'vitest';
import { fail, ok, type Result } from '../result.ts';
import type { CallReceipt, PlannedCall } from '../steps/types.ts';
import { type CallPorts, createCaller } from './calls.ts';
import type { RunEvent } from './events.ts';

/** A caller whose journal, ledger, lock and API server write down what they hear. */
function caller(options: { safe?: () => boolean; ledger?: () => Result<void> } = {}) {
  const said: string[] = [];
  const calls: { callId: string; intent: object; outcome?: object }[] = [];
  const abandoned = new AbortController();
  const core = {
    state: { calls, runId: 'r1', openCalls: [] as string[] },
    record(event: RunEvent) {
      if (event.type === 'call.intent') {
        calls.push({ callId: event.callId, intent: event });
        said.push(`intent ${event.callId} ${event.verb}`);
      }
      if (event.type === 'call.outcome')
        said.push(`outcome ${event.callId} ${event.result} ${event.error ?? ''}`.trim());
    },
    message: () => {},
  };
  const safe = options.safe ?? (() => true);
  const lease = { isSafe: safe, renew: async () => ok(undefined) };
  const ports = {
    core,
    lease: () => lease,
    async saveLedger() {
      said.push('ledger');
      return options.ledger?.() ?? ok(undefined);
    },
    abandoned: abandoned.signal,
    windowOpen: () => ok(undefined),
  };
  const planned = (verb: 'create' | 'patch', answer: () => Result<CallReceipt> = () => ok({})): PlannedCall => ({
    what: { verb, target: { kind: 'Secret', namespace: 'nova', name: `${verb}d` }, direction: 'forward' },
    async send(auditId) {
      said.push(`send ${verb} as ${auditId}`);
      return answer();
    },
  });
  return { calls: createCaller(ports as unknown as CallPorts), planned, said, abandoned };
}

test('calls that belong together are announced by one write of the ledger, before the first is sent', async () => {
  const { calls, planned, said } = caller();
  const facts = { generation: 2 };
  expect(await calls('p2.auth.migrate', [planned('create'), planned('patch', () => ok({ facts }))])).toEqual(
    ok({ facts }),
  );
  expect(said).toEqual([
    'intent 1 create',
    'intent 2 patch',
    'ledger',
    'send create as pgbw-r1-1-1',
    'outcome 1 done',
    'send patch as pgbw-r1-2-1',
    'outcome 2 done',
  ]);
});

test('nothing is sent after one that failed, and the journal says so of each', async () => {
  const { calls, planned, said } = caller();
  const refused = () => fail('outcome-unknown', 'no answer');
  expect(await calls('p2.auth.migrate', [planned('create', refused), planned('patch')])).toMatchObject({
    error: { code: 'outcome-unknown' },
  });
  expect(said.slice(3)).toEqual([
    'send create as pgbw-r1-1-1',
    'outcome 1 unknown no answer',
    'outcome 2 refused not sent: create of created before it failed',
  ]);
});

test('the lock is looked at before each: one lost between two of them keeps the second from being sent', async () => {
  let looks = 0;
  const { calls, planned, said } = caller({ safe: () => ++looks === 1 });
  expect(await calls('p2.auth.migrate', [planned('create'), planned('patch')])).toMatchObject({
    error: { code: 'lock-lost' },
  });
  expect(said.at(-1)).toBe('outcome 2 refused the lock is not held safely');
  expect(said).not.toContain('send patch as pgbw-r1-2-1');
});

test('a ledger that somebody else writes keeps all of them from being sent', async () => {
  const { calls, planned, said } = caller({ ledger: () => fail('lock-lost', 'somebody else writes it') });
  expect(await calls('p2.auth.migrate', [planned('create'), planned('patch')])).toMatchObject({
    error: { code: 'lock-lost' },
  });
  expect(said.slice(3)).toEqual([
    'outcome 1 refused somebody else writes it',
    'outcome 2 refused somebody else writes it',
  ]);
});

test('a run that is left between two of them sends no more', async () => {
  const { calls, planned, said, abandoned } = caller();
  const leaving = () => {
    abandoned.abort();
    return ok({});
  };
  expect(await calls('p2.auth.migrate', [planned('create', leaving), planned('patch')])).toMatchObject({ ok: false });
  expect(said.some((line) => line.startsWith('send patch'))).toBe(false);
  expect(said.at(-1)).toMatch(/^outcome 2 refused/);
});
