/**
 * No secret leaves the cluster: awkward passwords go through a run, a failing service, its rollback, the exports, the
 * doctor and a session on a terminal; then everything that was written, printed, sent or started is searched for them.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from '@lydell/node-pty';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ObservedRequest } from '../src/rehearsal/api/server.ts';
import { CANARY, CANARY_FORMS, canariesIn } from './canary.ts';
import { type Lab, NAMESPACE, openLab, runsIn, until } from './crash/lab.ts';

let lab: Lab;
const requests: ObservedRequest[] = [];
beforeAll(async () => {
  lab = await openLab({ password: CANARY.role, faults: ['crashloop:notification-service'] });
  lab.cluster.api.observe((request) => requests.push(request));
});
afterAll(() => lab?.close());

const searched: [where: string, text: string][] = [];
const search = (where: string, text: string) => searched.push([where, text]);

test('the search finds every form it is made for', () => {
  for (const password of Object.values(CANARY)) {
    const forms = [
      password,
      encodeURIComponent(password),
      JSON.stringify(password),
      ...[0, 1, 2].map((shift) => Buffer.from(`${'x'.repeat(shift)}${password}`).toString('base64')),
      Buffer.from(`postgresql://nova_user:${encodeURIComponent(password)}@postgres`).toString('base64'),
      Buffer.from(password).toString('base64url'),
      Buffer.from(password).toString('hex'),
    ];
    for (const form of forms) expect(canariesIn(form), form).not.toEqual([]);
  }
  expect(canariesIn('nothing of it')).toEqual([]);
});

test('a run, a failing service, rollback, exports, doctor and a terminal session give nothing away', async () => {
  const home = lab.newHome();
  const [admin, stats] = (['admin', 'stats'] as const).map((which) => {
    // Beside the home, because what the operator keeps there is the operator's.
    const path = join(lab.newHome(), which);
    writeFileSync(path, `${CANARY[which]}\n`, { mode: 0o600 });
    return path;
  });
  const passwords = ['--admin-password-file', admin!, '--stats-password-file', stats!];
  const common = ['--no-input', '-o', 'json', '--time-scale', '600', '--plan', lab.plan];
  const watching = watchArguments();
  const session = async (what: string, args: readonly string[]) => {
    const ended = await lab.wizard(home, args);
    search(`stdout of ${what}`, ended.stdout);
    search(`stderr of ${what}`, ended.stderr);
    return ended;
  };

  const failing = await session('run', ['run', ...common, ...passwords, '--on-failure', 'rollback-all']);
  expect(`${failing.code} ${failing.code === 6 ? '' : failing.stderr}`).toBe('6 ');
  const runId = runsIn(home)[0]!;
  const out = join(home, 'record');
  expect((await session('export', ['export', '--run', runId, '--to', out])).code).toBe(0);
  await session('doctor', ['doctor', '-o', 'json']);
  await session('status', ['status', '--run', runId, '-o', 'json']);
  await session('preflight', ['preflight', '--plan', lab.plan]);
  search('terminal', await onTerminal(home, ['run', '--fresh', '--time-scale', '600', '--plan', lab.plan, '--yes']));
  search('process arguments', watching());

  for (const path of filesIn(home)) search(`file ${path.slice(home.length)}`, readFileSync(path, 'latin1'));
  searchCluster();
  expect(searched.length).toBeGreaterThan(60);

  const hits = searched.flatMap(([where, text]) => canariesIn(text).map((form) => `${where}: ${form}`));
  console.log(`${searched.length} places searched for ${CANARY_FORMS} forms of 3 passwords: ${hits.length} hits`);
  expect(hits).toEqual([]);
});

/** Bodies of requests and objects that are no Secrets. */
function searchCluster(): void {
  for (const { method, url, body } of requests) {
    if (body.length === 0 || /\/secrets(\/|\?|$)/.test(url)) continue;
    search(`body of ${method} ${url}`, withoutOriginals(url, body.toString('utf8')));
    search(`address of ${method} ${url}`, url);
  }
  const { store } = lab.cluster;
  for (const resource of ['configmaps', 'leases.coordination.k8s.io', 'events', 'jobs.batch', 'services']) {
    for (const object of store.list(resource, NAMESPACE))
      search(`${resource} ${object.metadata.name}`, JSON.stringify(object));
  }
  for (const resource of ['deployments.apps', 'replicasets.apps', 'pods']) {
    for (const { metadata } of store.list(resource, NAMESPACE))
      search(`metadata of ${resource} ${metadata.name}`, JSON.stringify(metadata));
  }
}

/**
 * The fleet itself holds the role's password as a literal, as the guide has it. A patch tests for that entry, and the way
 * back writes it again: those operations are the operator's own value in its own place, and are left out.
 */
function withoutOriginals(url: string, body: string): string {
  if (!/\/deployments\//.test(url) || !body.startsWith('[')) return body;
  const ops = JSON.parse(body) as { op: string; path: string; value?: { name?: string; value?: string } }[];
  const isOriginal = (op: (typeof ops)[number]) =>
    op.op === 'test' || (op.value?.name === 'DATABASE_URL' && op.value.value?.includes('@postgres:5432/') === true);
  return JSON.stringify(ops.filter((op) => !isOriginal(op)));
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Collects the arguments of every process of this machine until the returned function is called. */
function watchArguments(): () => string {
  const seen = new Set<string>();
  const look = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        // Gone between the two reads.
      }
    }
  };
  const timer = setInterval(look, 50);
  return () => {
    clearInterval(timer);
    expect(seen.size).toBeGreaterThan(5);
    return [...seen].join('\n');
  };
}

/** A session with a screen: the log pane is opened, then it is left. Everything that reached the terminal. */
async function onTerminal(home: string, args: readonly string[]): Promise<string> {
  const pty = spawn(process.execPath, ['bin/pgb-wizard.js', ...args], {
    cols: 100,
    rows: 30,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      PGB_WIZARD_HOME: join(home, 'state'),
      KUBECONFIG: lab.cluster.kubeconfigPath,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
    },
  });
  let output = '';
  let ended = false;
  pty.onData((text) => {
    output += text;
  });
  pty.onExit(() => {
    ended = true;
  });
  await until(() => output.includes('Phase') || output.includes('p2') || ended);
  for (const key of ['l', '?']) pty.write(key);
  const before = output.length;
  await until(() => output.length > before || ended);
  await until(() => lab.cluster.store.list('configmaps', NAMESPACE).length > 2 || ended);
  pty.kill('SIGTERM');
  await until(() => ended);
  expect(output.length).toBeGreaterThan(2000);
  expect(output).toContain('pgb-wizard');
  return output;
}
