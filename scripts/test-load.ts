/**
 * 500 clients at work through two poolers while all 16 services are switched, the poolers are rolled, and one is killed.
 * Every failed query is counted under what was going on, with the words it failed with. Each client behaves like one
 * connection of an application's pool: it connects to one ready pooler, leaves at the end of its life between two
 * transactions, never repeats a failed query, and connects again.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { ref } from '../src/engine/kube/refs.ts';
import { rehearsedCluster, story } from '../test/rehearsed-run.ts';

const { values } = parseArgs({ options: { clients: { type: 'string', default: '500' } } });
const CLIENTS = Number(values.clients);
/** Queries per second of all clients together: two cores carry servers, poolers and clients. */
const RATE = 150;
/** Below the 60 s that a pooler waits for its clients. */
const LIFETIME_MS = 40_000;

type Phase = 'before' | 'switch' | 'roll' | 'kill' | 'after';
const book = new Map<
  Phase,
  { queries: number; failed: number; connects: number; refused: number; words: Map<string, number> }
>();
let phase: Phase = 'before';
const page = () => {
  const found = book.get(phase) ?? { queries: 0, failed: 0, connects: 0, refused: 0, words: new Map() };
  book.set(phase, found);
  return found;
};
const note = (words: Map<string, number>, error: unknown) => {
  const text = String((error as Error)?.message ?? error);
  words.set(text, (words.get(text) ?? 0) + 1);
};

const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)}  ${text}`);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const at = await rehearsedCluster();
let ending = false;
let connected = 0;

/** The ready pods behind the Service, as kube-proxy would choose one of them. */
function endpoint(): string | undefined {
  const pods = at.cluster.store
    .list('pods', 'nova', { app: 'pgbouncer' })
    .filter((pod) => !pod.metadata.deletionTimestamp)
    .filter((pod) =>
      pod.status?.conditions?.some(
        (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
      ),
    );
  return pods[Math.floor(Math.random() * pods.length)]?.status.podIP;
}

async function client(password: string): Promise<void> {
  while (!ending) {
    const host = endpoint();
    const connection = new pg.Client({
      host,
      port: 6432,
      user: 'nova_user',
      password,
      database: 'nova',
      application_name: 'load',
    });
    let lost: Error | undefined;
    connection.on('error', (error) => {
      lost = error;
    });
    try {
      if (!host) throw new Error('no ready pooler');
      await connection.connect();
      page().connects++;
    } catch (error) {
      page().refused++;
      note(page().words, `connect: ${(error as Error).message}`);
      await pause(250);
      continue;
    }
    connected++;
    const end = Date.now() + LIFETIME_MS * (0.7 + Math.random() * 0.3);
    // A connection that was closed while it was idle is left like a pool leaves it: no query has failed.
    while (!ending && !lost && Date.now() < end) {
      await pause(((CLIENTS * 1000) / RATE) * (0.5 + Math.random()));
      if (lost || ending) break;
      const id = 1 + Math.floor(Math.random() * 1000);
      const counted = page();
      try {
        if (Math.random() < 0.8) await connection.query('select id, body, n from items where id = $1', [id]);
        else {
          await connection.query('begin');
          await connection.query('update items set n = n + 1 where id = $1', [id]);
          await connection.query('commit');
        }
        counted.queries++;
      } catch (error) {
        counted.queries++;
        counted.failed++;
        note(counted.words, error);
        break;
      }
    }
    connected--;
    await connection.end().catch(() => undefined);
  }
}

let clients: Promise<void>[] = [];
let failed = false;
try {
  const plan = {
    baseline: { enabled: false },
    // What is measured here is failed queries; two cores shared with 500 clients say nothing about 10 % of a response time.
    gates: { responseTimeWithin: 10_000, queryTimeMs: 60_000, maxWaitMs: 60_000, clientsWaiting: 10_000 },
  };
  const first = await at.run({ plan, stopAfter: 'p1' });
  if (first.outcome !== 'parked') throw new Error(`the poolers were not deployed:\n${story(first)}`);
  const secret = await at.kube.get(ref('Secret', 'nova', 'postgres-credentials'));
  if (!secret.ok) throw new Error(secret.error.message);
  const password = Buffer.from(secret.value.data.password, 'base64').toString('utf8');
  const version = first.steps.flatMap((step) => step.evidence).find((one) => one.check.startsWith('SHOW VERSION'));
  say(`${version?.observed ?? 'PgBouncer'}, two poolers; ${CLIENTS} clients connect`);
  clients = Array.from({ length: CLIENTS }, async (_, index) => {
    await pause(index * 20);
    await client(password);
  });
  while (connected < CLIENTS * 0.98) await pause(200);
  say(`${connected} clients are connected`);

  phase = 'switch';
  const end = await at.run({ plan, resume: first.runId });
  if (end.outcome !== 'done') throw new Error(`the run did not end well:\n${story(end)}`);
  const services = at.cluster.report().totals;
  say(`all ${end.services.filter((one) => one.state === 'pooled').length} services are switched`);

  phase = 'roll';
  const before = new Set(at.cluster.store.list('pods', 'nova', { app: 'pgbouncer' }).map((pod) => pod.metadata.uid));
  const rolled = await at.kube.patch(ref('Deployment', 'nova', 'pgbouncer'), [
    {
      op: 'add',
      path: '/spec/template/metadata/annotations',
      value: { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString() },
    },
  ]);
  if (!rolled.ok) throw new Error(rolled.error.message);
  const began = Date.now();
  while (at.cluster.store.list('pods', 'nova', { app: 'pgbouncer' }).some((pod) => before.has(pod.metadata.uid))) {
    if (Date.now() - began > 240_000) throw new Error('the old poolers did not end within 240 s');
    await pause(250);
  }
  const afterRoll = at.cluster.report().totals;
  say(`both poolers are rolled, ${Math.round((Date.now() - began) / 1000)} s`);

  phase = 'kill';
  // A query that began before belongs to the roll, and is over by now.
  await pause(3000);
  const [victim] = at.cluster.store.list('pods', 'nova', { app: 'pgbouncer' });
  const killed = await at.kube.delete(ref('Pod', 'nova', victim!.metadata.name), { gracePeriodSeconds: 0 });
  if (!killed.ok) throw new Error(killed.error.message);
  await pause(10_000);
  phase = 'after';
  await pause(3000);
  ending = true;
  await Promise.all(clients);

  for (const [name, { queries, failed: bad, connects, refused, words }] of book) {
    say(`${name.padEnd(7)} ${queries} queries, ${bad} failed; ${connects} connects, ${refused} refused`);
    for (const [text, count] of words) console.log(`            ${count} x ${text}`);
  }
  const own = at.cluster.report().totals;
  say(
    `services  ${own.queries} queries; failed: switch ${services.failed}, roll ${afterRoll.failed - services.failed}, kill ${own.failed - afterRoll.failed}`,
  );
  const count = (name: Phase) => (book.get(name)?.failed ?? 0) + (book.get(name)?.refused ?? 0);
  failed = count('switch') + count('roll') + afterRoll.failed > 0;
  console.log(
    `clients ${CLIENTS}, queries ${[...book.values()].reduce((sum, one) => sum + one.queries, 0)}, failed: switch ${count('switch')}, roll ${count('roll')}, kill ${count('kill')} (connections of the killed pooler)`,
  );
} catch (error) {
  failed = true;
  console.error((error as Error).message);
} finally {
  ending = true;
  await Promise.all(clients);
  await at.close();
}
process.exit(failed ? 1 : 0);
