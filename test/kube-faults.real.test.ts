/** The API server's bad days: what the transport repeats, what it leaves open, and how a watch heals. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectKube } from '../src/engine/kube/connect.ts';
import { acquireLease, showLease } from '../src/engine/kube/lease.ts';
import { listOf, ref } from '../src/engine/kube/refs.ts';
import { openLedger, resumeLedger } from '../src/engine/kube/run-state.ts';
import type { Json, Kube } from '../src/engine/kube/types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { type BareCluster, bareCluster } from './kube-cluster.ts';

let cluster: BareCluster;
let kube: Kube;
const clock = realClock();
const configMap = (name: string, data: Json = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'nova' },
  data,
});
const at = (name: string) => ref('ConfigMap', 'nova', name);

beforeAll(async () => {
  cluster = await bareCluster();
  kube = await cluster.connect();
  cluster.store.create('configmaps', configMap('one', { a: '1' }));
});
afterEach(() => cluster.api.faults.clear());
afterAll(() => cluster.close());

describe('reads', () => {
  test.each([429, 500, 503, 504] as const)('a %i is tried again', async (code) => {
    cluster.api.faults.add({
      path: 'configmaps/one',
      times: 1,
      action: { type: 'status', code, retryAfterSeconds: 0 },
    });
    expect(await kube.get(at('one'))).toMatchObject({ ok: true, value: { data: { a: '1' } } });
  });

  test('a cut connection is tried again, a 403 and a 404 are not', async () => {
    cluster.api.faults.add({ path: 'configmaps/one', times: 1, action: { type: 'drop', when: 'before' } });
    expect(await kube.get(at('one'))).toMatchObject({ ok: true });
    const before = kube.requestCounts().total;
    cluster.api.faults.add({ path: 'configmaps/one', times: 0, action: { type: 'status', code: 403 } });
    expect(await kube.get(at('one'))).toMatchObject({ ok: false, error: { code: 'not-authorised', exitCode: 4 } });
    expect(await kube.get(at('none'))).toMatchObject({ ok: false, error: { code: 'not-found' } });
    expect(kube.requestCounts().total - before).toBe(2);
  });

  test('an answer that does not come is given up, and the port says so', async () => {
    cluster.api.faults.add({ path: 'configmaps/one', times: 0, action: { type: 'delay', milliseconds: 3000 } });
    const stop = new AbortController();
    const pending = kube.get(at('one'), { timeoutMs: 100, signal: stop.signal });
    await vi.waitFor(() => expect(kube.health().state).toBe('stale'), { timeout: 5000 });
    stop.abort();
    expect(await pending).toMatchObject({ ok: false, error: { code: 'aborted' } });
    cluster.api.faults.clear();
    await kube.get(at('one'));
    expect(kube.health().state).toBe('ok');
  });
});

describe('writes', () => {
  test('a guarded patch whose answer is lost is sent again and refused by its own test: it happened once', async () => {
    cluster.api.faults.add({ method: 'PATCH', times: 1, action: { type: 'drop', when: 'after' } });
    const sent = await kube.patch(at('one'), [
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'replace', path: '/data/a', value: '2' },
    ]);
    expect(sent).toMatchObject({ ok: false, error: { code: 'precondition-failed' } });
    expect(cluster.store.get('configmaps', 'nova', 'one')!.data.a).toBe('2');
  });

  test('an unguarded patch whose answer is lost is not sent again: the outcome is unknown', async () => {
    cluster.api.faults.add({ method: 'PATCH', times: 1, action: { type: 'drop', when: 'after' } });
    const sent = await kube.patch(at('one'), [{ op: 'replace', path: '/data/a', value: '3' }]);
    expect(sent).toMatchObject({ ok: false, error: { code: 'outcome-unknown' } });
  });

  test('a write whose answer is lost is not sent again once the lock may be gone', async () => {
    cluster.api.faults.add({ method: 'PUT', times: 0, action: { type: 'drop', when: 'before' } });
    const before = kube.requestCounts().total;
    const live = cluster.store.get('configmaps', 'nova', 'one')!;
    const sent = await kube.replace(at('one'), live as Json, { again: async () => false });
    expect(sent).toMatchObject({ ok: false, error: { code: 'outcome-unknown' } });
    expect(kube.requestCounts().total - before).toBe(1);
  });

  test('a write whose answer was lost stays open when what follows tells nothing of the object', async () => {
    const live = () => cluster.store.get('configmaps', 'nova', 'one') as Json;
    cluster.api.faults.add({ method: 'PUT', times: 1, action: { type: 'drop', when: 'after' } });
    cluster.api.faults.add({ method: 'PUT', nth: 2, times: 1, action: { type: 'status', code: 403 } });
    const refused = await kube.replace(at('one'), { ...live(), data: { a: 'landed' } });
    expect(refused).toMatchObject({ ok: false, error: { code: 'outcome-unknown', exitCode: 4 } });
    expect(live().data.a).toBe('landed');

    cluster.api.faults.add({ method: 'PUT', times: 1, action: { type: 'drop', when: 'before' } });
    const stop = new AbortController();
    const stopped = kube.replace(at('one'), live(), { signal: stop.signal });
    await vi.waitFor(() => expect(cluster.api.faults.list()).toEqual([]));
    stop.abort();
    expect(await stopped).toMatchObject({ ok: false, error: { code: 'outcome-unknown' } });
  });

  test('a connection that is closed by the command ends what is under way', async () => {
    const stop = new AbortController();
    const short = await cluster.connect({ signal: stop.signal });
    cluster.api.faults.add({ path: 'configmaps/one', times: 1, action: { type: 'delay', milliseconds: 10_000 } });
    const pending = short.get(at('one'));
    stop.abort();
    expect(await pending).toMatchObject({ ok: false, error: { code: 'aborted' } });
  });

  test('a 429 was refused before it was done: sent again whatever it is', async () => {
    cluster.api.faults.add({ method: 'PATCH', times: 2, action: { type: 'status', code: 429, retryAfterSeconds: 0 } });
    expect(await kube.patch(at('one'), [{ op: 'replace', path: '/data/a', value: '4' }])).toMatchObject({ ok: true });
  });

  test('a dry run leaves nothing behind', async () => {
    expect(await kube.create(at('dry'), configMap('dry'), { dryRun: true })).toMatchObject({ ok: true });
    expect(await kube.get(at('dry'))).toMatchObject({ ok: false, error: { code: 'not-found' } });
  });
});

describe('a watch', () => {
  test('goes on after a restart, a truncated stream and a forgotten history', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const watch = kube.watch(listOf('Secret', 'nova'), {
      signal: stop.signal,
      onEvent: (e) => seen.push(`${e.type} ${e.object.metadata.name}`),
    });
    expect(await watch.synced).toMatchObject({ ok: true });
    const make = (name: string) =>
      cluster.store.create('secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'nova' } });
    make('first');
    await vi.waitFor(() => expect(seen).toEqual(['ADDED first']));
    cluster.api.faults.restart();
    make('second');
    await vi.waitFor(() => expect(seen.at(-1)).toBe('ADDED second'), { timeout: 5000 });
    cluster.api.faults.restart();
    make('third');
    cluster.store.delete('secrets', 'nova', 'first');
    cluster.api.faults.compactHistory();
    await vi.waitFor(
      () => expect(new Set(seen)).toEqual(new Set(['ADDED first', 'ADDED second', 'ADDED third', 'DELETED first'])),
      { timeout: 5000 },
    );
    expect(seen).toHaveLength(4);
    expect([...watch.items().values()].map((o) => o.metadata.name).sort()).toEqual(['second', 'third']);
    stop.abort();
  });

  test('of something forbidden ends with the reason', async () => {
    cluster.api.faults.add({ path: 'leases', times: 0, action: { type: 'status', code: 403 } });
    const stop = new AbortController();
    expect(await kube.watch(listOf('Lease', 'nova'), { signal: stop.signal }).synced).toMatchObject({
      ok: false,
      error: { code: 'not-authorised' },
    });
  });
});

describe('the lock', () => {
  const options = (who: string, signal: AbortSignal) => ({ namespace: 'nova', runId: 'r1', who, clock, signal });

  test('is held by one, taken over only after observed silence and consent, and its loser notices', async () => {
    const stop = new AbortController();
    const alice = await acquireLease(kube, options('alice@a', stop.signal));
    if (!alice.ok) throw new Error(alice.error.message);
    expect(alice.value.isSafe()).toBe(true);
    expect(await acquireLease(kube, options('bob@b', stop.signal))).toMatchObject({
      ok: false,
      error: { code: 'locked', exitCode: 7 },
    });

    // Bob's clock runs fast, so that half a minute of silence takes no time; his wall clock alone would not be enough.
    let now = 0;
    const fast = { monotonic: () => (now += 20_000), wall: () => Date.now() + now };
    const asked: string[] = [];
    const declined = await acquireLease(
      kube,
      { ...options('bob@b', stop.signal), onExpired: async (h) => asked.push(h.holder) === 0 },
      fast,
    );
    expect(declined).toMatchObject({ ok: false, error: { code: 'locked' } });
    expect(asked).toEqual([alice.value.holder]);
    const bob = await acquireLease(kube, { ...options('bob@b', stop.signal), onExpired: async () => true }, fast);
    if (!bob.ok) throw new Error(bob.error.message);
    expect(bob.value.epoch).toBe(alice.value.epoch + 1);
    expect(await alice.value.renew()).toMatchObject({ ok: false, error: { code: 'lock-lost' } });
    expect([alice.value.isSafe(), alice.value.lost.aborted, alice.value.view().mine]).toEqual([false, true, false]);
    await bob.value.release();
    expect(await showLease(kube, 'nova')).toMatchObject({ ok: true, value: { holder: '' } });
  });

  test('a lock that was taken without an answer is known as our own', async () => {
    const stop = new AbortController();
    for (const method of ['PUT', 'POST']) {
      if (method === 'POST') cluster.store.delete('leases.coordination.k8s.io', 'nova', 'pgb-wizard');
      cluster.api.faults.add({ method, path: '/leases', times: 1, action: { type: 'drop', when: 'after' } });
      const taken = await acquireLease(kube, options('alice@a', stop.signal));
      if (!taken.ok) throw new Error(taken.error.message);
      expect(taken.value.isSafe()).toBe(true);
      await taken.value.release();
    }
  });

  test('a clock that is put back does not make a dead holder live longer', async () => {
    const stop = new AbortController();
    const alice = await acquireLease(kube, options('alice@a', stop.signal));
    if (!alice.ok) throw new Error(alice.error.message);
    let ran = 0;
    const back = { monotonic: () => (ran += 20_000), wall: () => Date.now() + ran - (ran > 20_000 ? 7_200_000 : 0) };
    const bob = await acquireLease(kube, { ...options('bob@b', stop.signal), onExpired: async () => true }, back);
    expect(bob.ok && bob.value.epoch).toBe(alice.value.epoch + 1);
    if (bob.ok) await bob.value.release();
  });

  test('a laptop that slept is not safe until it has renewed', async () => {
    const stop = new AbortController();
    let slept = 0;
    const held = await acquireLease(kube, options('carol@c', stop.signal), {
      monotonic: () => performance.now(),
      wall: () => Date.now() + slept,
    });
    if (!held.ok) throw new Error(held.error.message);
    slept = 6_000;
    expect(held.value.isSafe()).toBe(false);
    expect(await held.value.renew()).toMatchObject({ ok: true });
    expect(held.value.isSafe()).toBe(true);
    await held.value.release();
  });
});

test('a write of the ledger that was given up and had landed is no other writer', async () => {
  const ledger = {
    v: 1 as const,
    runId: 'r-late',
    operator: 'alice@a',
    planName: 'nova',
    planHash: 'x',
    epoch: 1,
    seq: 1,
    status: 'running' as const,
    startedAt: '2026-11-01T00:00:00Z',
    updatedAt: '2026-11-01T00:00:00Z',
    headHash: 'h',
    data: {},
  };
  const handle = await openLedger(kube, 'nova', ledger);
  if (!handle.ok) throw new Error(handle.error.message);
  cluster.api.faults.add({ method: 'PUT', path: 'configmaps', times: 1, action: { type: 'drop', when: 'after' } });
  cluster.api.faults.add({ method: 'PUT', path: 'configmaps', times: 0, action: { type: 'drop', when: 'before' } });
  expect(await handle.value.update((old) => ({ ...old, seq: 2 }))).toMatchObject({
    ok: false,
    error: { code: 'outcome-unknown' },
  });
  cluster.api.faults.clear();
  expect(await handle.value.update((old) => ({ ...old, seq: 3 }))).toMatchObject({ ok: true, value: { seq: 3 } });
});

test('the ledger has one writer: the second one is told', async () => {
  const ledger = {
    v: 1 as const,
    runId: 'r9',
    operator: 'a',
    planName: 'nova',
    planHash: 'h',
    epoch: 0,
    seq: 0,
    status: 'running' as const,
    startedAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    headHash: '0',
    data: {},
  };
  const first = await openLedger(kube, 'nova', ledger);
  const second = await resumeLedger(kube, 'nova', 'r9');
  if (!first.ok || !second.ok) throw new Error('no ledger');
  cluster.api.faults.add({ method: 'PUT', times: 1, action: { type: 'drop', when: 'after' } });
  expect(await first.value.update((l) => ({ ...l, seq: 1 }))).toMatchObject({ ok: true });
  expect(await second.value.update((l) => ({ ...l, seq: 7 }))).toMatchObject({
    ok: false,
    error: { code: 'lock-lost' },
  });
});

describe('connecting', () => {
  const dir = mkdtempSync(join(tmpdir(), 'pgbw-conf-'));
  const connect = (kubeconfig: string, more = {}) => connectKube({ kubeconfig, clock, ...more });

  test('says what is wrong, and which contexts there are', async () => {
    const file = cluster.api.kubeconfigPath!;
    expect(await connect(join(dir, 'none'))).toMatchObject({ ok: false, error: { code: 'kubeconfig', exitCode: 2 } });
    writeFileSync(join(dir, 'broken'), '{{{');
    expect(await connect(join(dir, 'broken'))).toMatchObject({ ok: false, error: { code: 'kubeconfig' } });
    const unknown = await connect(file, { context: 'prod-eu-9' });
    expect(unknown).toMatchObject({ ok: false, error: { code: 'context-unknown', exitCode: 2 } });
    expect(!unknown.ok && unknown.error.cause).toContain('rehearsal');
    expect(await connect(file, { namespace: 'nowhere' })).toMatchObject({
      ok: false,
      error: { code: 'namespace-missing', exitCode: 2 },
    });
  });

  test('an unreachable server, a foreign certificate and a refused token are told apart', async () => {
    const text = cluster.api.kubeconfig;
    const write = (name: string, content: string) => {
      writeFileSync(join(dir, name), content);
      return join(dir, name);
    };
    const dead = write('dead', text.replaceAll(String(cluster.api.port), '1'));
    expect(await connect(dead)).toMatchObject({
      ok: false,
      error: { code: 'cluster-unreachable', message: expect.stringContaining('nothing listens') },
    });
    const foreign = write('foreign', text.replace(/certificate-authority-data: .*/, ''));
    expect(await connect(foreign)).toMatchObject({
      ok: false,
      error: { code: 'cluster-unreachable', message: expect.stringContaining('TLS') },
    });
    const token = write('token', text.replace(/token: .*/, 'token: wrong-token-value'));
    expect(await connect(token)).toMatchObject({ ok: false, error: { code: 'unauthenticated', exitCode: 4 } });
  });

  test('a credential plugin is run once for many calls, renewed after a 401, and its own words are shown when it fails', async () => {
    const text = cluster.api.kubeconfig;
    const token = /token: (.*)/.exec(text)![1]!.trim();
    const count = join(dir, 'count');
    const plugin = (body: string) =>
      text.replace(/^(\s*)token: .*$/m, (_, indent) =>
        [
          `exec:`,
          `  apiVersion: client.authentication.k8s.io/v1`,
          `  interactiveMode: Never`,
          `  command: sh`,
          `  args: ["-c", ${JSON.stringify(body)}]`,
        ]
          .map((l) => indent + l)
          .join('\n'),
      );
    const credential = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token },
    });
    // The first run gives a stale token, the next ones the good one.
    const stale = credential.replace(token, 'stale-token-value');
    writeFileSync(
      join(dir, 'plugin'),
      plugin(
        `echo x >> ${count}; if [ $(wc -l < ${count}) -eq 1 ]; then echo '${stale}'; else echo '${credential}'; fi`,
      ),
    );
    const connected = await connect(join(dir, 'plugin'));
    if (!connected.ok) throw new Error(connected.error.message);
    const all = await Promise.all(Array.from({ length: 5 }, () => connected.value.get(at('one'))));
    expect(all.every((r) => r.ok)).toBe(true);
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(count, 'utf8').trim().split('\n')).toHaveLength(2);
    connected.value.close();
    writeFileSync(join(dir, 'failing'), plugin('echo "sso session expired" >&2; exit 3'));
    expect(await connect(join(dir, 'failing'))).toMatchObject({
      ok: false,
      error: { code: 'unauthenticated', message: expect.stringContaining('sso session expired') },
    });
    // Its inner program failed and it ends well: nobody must go on without a name.
    writeFileSync(join(dir, 'empty'), plugin(`echo '${credential.replace(token, '')}'`));
    expect(await connect(join(dir, 'empty'))).toMatchObject({
      ok: false,
      error: { code: 'unauthenticated', message: expect.stringContaining('neither a token nor a certificate') },
    });
  });
});
