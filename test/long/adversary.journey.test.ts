/**
 * Other hands on a live run: a second terminal that holds, approves, watches and rolls back, and somebody with kubectl who
 * deletes or edits what the run stands on. Whatever they do, the run says it in words, claims nothing that is not so, and
 * can be gone on with or taken back.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { KubeObject } from '../../src/rehearsal/contract.ts';
import { eventsOf, type Lab, NAMESPACE, openLab, runsIn, SERVICES, type Session, until } from '../crash/lab.ts';
import { approveUntil, confirm } from '../journeys/operator.ts';
import { Terminal } from '../journeys/terminal.ts';

let lab: Lab;
let longSoak: string;
let originalTemplate: string;
/** Runs of tests so far: whatever became of them, the next one finds the cluster as it was. */
const left: Live[] = [];
beforeAll(async () => {
  lab = await openLab();
  const { template } = lab.cluster.store.get('deployments.apps', NAMESPACE, 'notification-service')!.spec;
  originalTemplate = JSON.stringify(template);
  const plan = JSON.parse(readFileSync(lab.plan, 'utf8'));
  // Ten seconds here: long enough for a second terminal.
  plan.phases[0].soak = '1h40m';
  longSoak = join(lab.newHome(), 'plan.json');
  writeFileSync(longSoak, JSON.stringify(plan));
});
beforeEach(async () => {
  lab.cluster.api.faults.clear();
  for (const run of left.splice(0)) {
    run.kill();
    await run.session;
    for (const runId of runsIn(run.home)) await lab.wizard(run.home, back(runId));
  }
  await lab.sweep();
  lab.mark();
});
afterAll(() => lab?.close());

const quick = ['--no-input', '-o', 'json', '--time-scale', '600'];
const start = (plan = lab.plan) => ['run', ...quick, '--plan', plan];
const resume = (runId: string) => ['run', ...quick, '--run', runId];
const back = (runId: string) => ['rollback', '--all', '--no-input', '-o', 'json', '--run', runId];

interface Live {
  readonly home: string;
  readonly session: Promise<Session>;
  readonly runId: () => string;
  kill(): void;
}

function live(args: readonly string[]): Live {
  const home = lab.newHome();
  let pid = 0;
  const session = lab.wizard(home, args, {
    limitMs: 240_000,
    onStart: (started) => {
      pid = started;
    },
  });
  let over = false;
  void session.then(() => {
    over = true;
  });
  const run = { home, session, runId: () => runsIn(home)[0]!, kill: () => void (over || process.kill(pid, 'SIGKILL')) };
  left.push(run);
  return run;
}

/** Waits for an event of the run; fails with its words when it ends before. */
async function sees(run: Live, what: (event: ReturnType<typeof eventsOf>[number]) => boolean): Promise<void> {
  let over: Session | undefined;
  void run.session.then((ended) => {
    over = ended;
  });
  await until(() => {
    if (eventsOf(run.home).some(what)) return true;
    if (over) throw new Error(`it ended (${over.code}) before that: ${over.stderr}`);
    return false;
  });
}
const begun = (id: string) => (event: ReturnType<typeof eventsOf>[number]) =>
  event.type === 'step.started' && event.id === id;
const soaking = (event: ReturnType<typeof eventsOf>[number]) => event.type === 'fact' && event.key === 'soakUntil.p2';

const ended = (session: Session, code: number) =>
  expect(`${session.code} ${session.code === code ? '' : session.stderr}`).toBe(`${code} `);
/** It ended in good order: parked, or stopped at a failure, with words; never by a bug, never as a success. */
function stopped(session: Session, words: RegExp): void {
  expect([1, 3, 4, 5, 7], session.stderr).toContain(session.code);
  expect(session.stderr).toMatch(words);
  expect(session.stderr + session.stdout).not.toMatch(/an error in pgb-wizard|internal error|node:internal/);
}

test('a second terminal holds, lets go, asks and watches', async () => {
  const run = live(start(longSoak));
  const second = (...args: string[]) => lab.wizard(run.home, args);
  await sees(run, begun('p2.identity-service.migrate'));
  const watching = second('status', '-w');
  const held = await second('hold', '--reason', 'a look at the graphs');
  ended(held, 0);
  expect(held.stdout).toMatch(
    /is held; p2\.identity-service\.migrate is under way and is finished, nothing new is begun/,
  );
  await sees(run, (event) => event.type === 'run.held');
  await sees(run, (event) => event.type === 'step.finished' && event.id === 'p2.identity-service.migrate');
  const moved = lab.templates.length;
  expect(moved).toBe(1);
  const status = await second('status', '-o', 'json');
  expect(JSON.parse(status.stdout)).toMatchObject({ live: true, heldFor: 'a look at the graphs' });
  // Nothing is asked of a run without a terminal: there is nothing to approve.
  const approved = await second('approve');
  expect(approved.code).toBe(2);
  expect(approved.stderr).toMatch(/asks nothing now/);
  expect(lab.templates.length).toBe(moved);
  ended(await second('hold', '--release'), 0);
  await sees(run, (event) => event.type === 'run.unheld');
  await sees(run, soaking);
  // The decision is open now, and answered from here.
  for (;;) {
    const now = JSON.parse((await second('status', '-o', 'json')).stdout);
    if (now.ask?.kind === 'decide') break;
    expect(now.live).toBe(true);
  }
  const decided = await second('approve', '--answer', 'continue', '--reason', 'seen enough');
  ended(decided, 0);
  const session = await run.session;
  ended(session, 0);
  const watched = await watching;
  ended(watched, 0);
  expect(watched.stdout).toMatch(/held\s+a look at the graphs/);
  expect(watched.stdout).toMatch(/end\s+done/);
  const decision = eventsOf(run.home).find((event) => event.type === 'decided');
  expect(decision).toMatchObject({ action: 'continue', override: true, reason: 'seen enough' });
});

test('what a second terminal says is seen, and dealt with, on the screen of the first one', async () => {
  const home = lab.newHome();
  const screen = new Terminal(
    ['run', '--kubeconfig', lab.cluster.kubeconfigPath, '--plan', longSoak, '--time-scale', '600'],
    { home },
  );
  const second = (...args: string[]) => lab.wizard(home, args);
  try {
    await approveUntil(screen, /guide 2\.1/, 120_000);
    ended(await second('hold', '--reason', 'lunch'), 0);
    await screen.see(/held|On hold|lunch/);
    // Answered from here, and not begun while it is held.
    ended(await second('approve'), 0);
    await screen.see(/held by .*lunch|lunch/);
    expect(lab.templates).toEqual([]);
    ended(await second('hold', '--release'), 0);
    // What was said of the hold does not stay on the screen as if it were still so.
    await screen.see((now) => /^ y approve/m.test(now) && /let go on by/.test(now) && !/held by/.test(now));
    ended(await second('approve'), 0);
    await until(() => lab.templates.length === 1);
    // The screen hears of the answer a frame later; until then its own question still stands there.
    await screen.see((now) => /guide 2\.4/.test(now) || !/^ y approve/m.test(now));
    await approveUntil(screen, /guide 2\.4/, 60_000);
    ended(await second('rollback', '--service', 'identity-service'), 0);
    // A human sits here: the way back is asked for like everything else.
    await screen.see(/Roll back identity-service/);
    await screen.see(/^ y approve/m);
    await confirm(screen, 'y');
    await screen.see(/Rolled back|rolled.back/i, 60_000);
    await until(() => lab.templates.length === 2);
    const status = JSON.parse((await second('status', '-o', 'json')).stdout);
    expect(status.services.map((one: { state: string }) => one.state)).not.toContain('pooled');
  } finally {
    screen.kill('SIGTERM');
    await screen.over();
    for (const runId of runsIn(home)) await lab.wizard(home, back(runId));
  }
});

test.each([
  ['in a rollout', begun('p2.notification-service.migrate'), start],
  ['in a soak', soaking, () => start(longSoak)],
] as const)('a rollback from a second terminal, %s', async (_where, moment, args) => {
  const original = lab.state();
  const run = live(args());
  await sees(run, moment);
  const told = await lab.wizard(run.home, ['rollback', '--all', '--run', run.runId()]);
  ended(told, 0);
  ended(await run.session, 6);
  expect(lab.state().templates).toEqual(original.templates);
  expect(lab.state().replicaSets).toEqual(original.replicaSets);
});

const KIND = { deploy: 'deployments.apps', secret: 'secrets', cm: 'configmaps', lease: 'leases.coordination.k8s.io' };
const remove = (kind: keyof typeof KIND, name: string) => lab.cluster.store.delete(KIND[kind], NAMESPACE, name);
const dsnSecret = () =>
  lab.cluster.store
    .list('secrets', NAMESPACE)
    .map((one) => one.metadata.name)
    .find((name) => /^identity-service-pgb-/.test(name));

test('somebody deletes the pooler in a soak: the gates say so, and the way back is open', async () => {
  const run = live(start(longSoak));
  await sees(run, soaking);
  remove('deploy', 'pgbouncer');
  stopped(await run.session, /pool/i);
  const rolledBack = await lab.wizard(run.home, back(run.runId()));
  ended(rolledBack, 6);
});

test('somebody deletes the Secret with the new address: it is said, and the way back is open', async () => {
  const run = live(start(longSoak));
  await sees(run, soaking);
  remove('secret', dsnSecret()!);
  // Pods that run go on; the next one could not start.
  stopped(await run.session, /Secret identity-service-pgb-\w+ was deleted: pods that run go on/);
  ended(await lab.wizard(run.home, back(run.runId())), 6);
});

test.each([
  ['the originals', 'secret'],
  ['the ledger', 'cm'],
] as const)(
  'somebody deletes %s in a soak: what the session still holds is written again, and said',
  async (_what, kind) => {
    const original = lab.state();
    const run = live(start(longSoak));
    await sees(run, soaking);
    remove(kind, `pgb-wizard-run-${run.runId()}`);
    const session = await run.session;
    ended(session, 0);
    expect(session.stderr).toMatch(/was deleted.*; it was written again, see who did that/);
    // From a machine that has nothing but what was written again.
    const other = lab.newHome();
    ended(await lab.wizard(other, back(run.runId())), 6);
    expect(lab.state().templates).toEqual(original.templates);
  },
);

test('somebody deletes the lock in a soak: the run parks, and a resume takes it anew', async () => {
  const run = live(start(longSoak));
  await sees(run, soaking);
  remove('lease', 'pgb-wizard');
  const session = await run.session;
  ended(session, 7);
  expect(session.stderr).toMatch(/lock/);
  ended(await lab.wizard(run.home, resume(run.runId())), 0);
  for (const service of SERVICES) {
    expect(lab.templates.filter((change) => change.workload === service)).toHaveLength(1);
  }
});

interface Entry {
  name: string;
  value?: string;
  valueFrom?: unknown;
}
const addressOf = (deployment: KubeObject | undefined): Entry | undefined =>
  deployment?.spec.template.spec.containers[0].env?.find((one: Entry) => one.name === 'DATABASE_URL');

test('somebody edits the variable in the middle of its rollout: it is said who, and never overwritten', async () => {
  const { store } = lab.cluster;
  const theirs = 'postgres://nova_user:wrong@elsewhere:5432/nova';
  const off = store.watch(({ resource, object, old }) => {
    if (resource !== 'deployments.apps' || object.metadata.name !== 'notification-service') return;
    if (!addressOf(object)?.valueFrom || addressOf(old)?.valueFrom) return;
    off();
    queueMicrotask(() => {
      const mine = structuredClone(store.get('deployments.apps', NAMESPACE, 'notification-service')!);
      const entry = addressOf(mine)!;
      delete entry.valueFrom;
      entry.value = theirs;
      store.update('deployments.apps', mine, { manager: 'kubectl-edit' });
    });
  });
  const run = live(start());
  const session = await run.session;
  stopped(session, /notification-service.*(another address|somebody changed|neither)/);
  expect(session.stderr).toContain('kubectl-edit');
  const rolledBack = await lab.wizard(run.home, back(run.runId()));
  // The one that was edited is not ours to write over; the other one is back.
  ended(rolledBack, 1);
  expect(rolledBack.stderr).toMatch(/notification-service: somebody changed app\/DATABASE_URL/);
  expect(addressOf(store.get('deployments.apps', NAMESPACE, 'notification-service'))?.value).toBe(theirs);
  expect(addressOf(store.get('deployments.apps', NAMESPACE, 'identity-service'))?.valueFrom).toBeUndefined();
  // Put right by hand, the rest goes back too.
  const mended = structuredClone(store.get('deployments.apps', NAMESPACE, 'notification-service')!);
  mended.spec.template = JSON.parse(originalTemplate);
  store.update('deployments.apps', mended, { manager: 'kubectl-edit' });
  ended(await lab.wizard(run.home, back(run.runId())), 6);
});

test('a record that was tampered with is found out', async () => {
  const run = live(start());
  ended(await run.session, 0);
  const out = join(run.home, 'out');
  ended(await lab.wizard(run.home, ['export', '--run', run.runId(), '--to', out]), 0);
  ended(await lab.wizard(run.home, ['verify', out]), 0);
  for (const [file, from, to] of [
    ['record.json', '"pooled"', '"direct"'],
    ['events.jsonl', 'identity-service', 'identity-servicf'],
    ['record.md', 'identity-service', 'identity-servicf'],
    ['SHA256SUMS', /^[0-9a-f]/, (digit: string) => (digit === '0' ? '1' : '0')],
  ] as const) {
    const path = join(out, file);
    const text = readFileSync(path, 'utf8');
    const changed = text.replace(from, to as string);
    expect(changed, file).not.toBe(text);
    writeFileSync(path, changed);
    const verified = await lab.wizard(run.home, ['verify', out]);
    expect(`${file}: ${verified.code}`).toBe(`${file}: 10`);
    writeFileSync(path, text);
  }
  ended(await lab.wizard(run.home, ['verify', out]), 0);
  expect(SERVICES).toHaveLength(4);
});
