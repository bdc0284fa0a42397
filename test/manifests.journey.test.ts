/**
 * The files that the services are made from, through the built program: a service that Argo CD heals is changed in Git only,
 * one of a Helm chart has its values named, the others on the cluster and in their files; the way back gives both back, and no password is in anything that is kept.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';
import type { Json } from '../src/rehearsal/contract.ts';
import { openSteps, type Ran, runWizard } from './wizard-process.ts';

const PASSWORD = 'kept-in-the-file';
const RUN = 'a1b2c3d4';
const SERVICES = ['identity-service', 'notification-service', 'cdn-service', 'auth-service'];
const HEALED = 'notification-service';
/** Made by a chart: no document of it is in the folder. */
const CHARTED = 'messaging-service';
const home = mkdtempSync(join(tmpdir(), 'pgbw-manifests-'));
const tree = join(home, 'deploy');
const planFile = join(home, 'plan.json');
let cluster: Cluster;

const live = (name: string): Json => cluster.store.get('deployments.apps', 'nova', name);
const pathOf = (name: string) => join(tree, 'apps', name, 'deployment.yaml');
const textOf = (name: string) => readFileSync(pathOf(name), 'utf8');
const entriesOf = (object: Json): Json => object.spec.template.spec.containers[0].env;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
/** Beside this process, because the cluster lives in it. */
const kubectl = (...args: string[]) =>
  ended('kubectl', ['--kubeconfig', cluster.kubeconfigPath, '-n', 'nova', ...args]);

const wizard = (...args: string[]): Promise<Ran> => runWizard(home, cluster.kubeconfigPath, [...args]);

/** Standard output and error of a command as a person gets them. */
function ended(program: string, args: readonly string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(program, args, {
    env: { ...process.env, HOME: home, PGB_WIZARD_HOME: home, KUBECONFIG: cluster.kubeconfigPath, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      text += data;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
}

const said = (...args: string[]) => ended(process.execPath, ['bin/pgb-wizard.js', ...args]);

const git = (...args: string[]): string =>
  execFileSync('git', ['-C', tree, '-c', 'user.name=team', '-c', 'user.email=team@example', ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  });

/** The manifest of a service as a team keeps it: no namespace, comments, its own quotes. */
function manifestOf(name: string): string {
  const { spec } = live(name);
  const text = stringify(
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec },
    { defaultStringType: 'PLAIN', lineWidth: 0 },
  );
  return `# owned by the team of ${name}\n${text.replace(/^( +)- name: DATABASE_URL$/m, '$1# the database\n$&')}`;
}

function annotate(name: string, annotations: Readonly<Record<string, string>>): void {
  const { metadata, ...rest } = live(name);
  const all = { ...metadata.annotations, ...annotations };
  cluster.store.update('deployments.apps', {
    ...rest,
    metadata: { ...metadata, resourceVersion: undefined, annotations: all },
  });
}

function everyFile(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? everyFile(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

beforeAll(async () => {
  cluster = await startCluster({ services: 5, password: PASSWORD, pace: 20 });
  for (const name of SERVICES) {
    mkdirSync(join(tree, 'apps', name), { recursive: true });
    writeFileSync(pathOf(name), manifestOf(name));
  }
  annotate(HEALED, { 'argocd.argoproj.io/tracking-id': `shop:apps/Deployment:nova/${HEALED}` });
  annotate(CHARTED, { 'meta.helm.sh/release-name': 'messaging', 'meta.helm.sh/release-namespace': 'nova' });
  mkdirSync(join(tree, 'chart', 'templates'), { recursive: true });
  writeFileSync(join(tree, 'chart', 'Chart.yaml'), 'apiVersion: v2\nname: messaging\nversion: 1.0.0\n');
  writeFileSync(
    join(tree, 'chart', 'templates', 'deployment.yaml'),
    '{{ if .Values.on }}\nkind: Deployment\n{{ end }}\n',
  );
  writeFileSync(
    join(tree, 'chart', 'values.yaml'),
    `replicas: 1\ndatabase:\n  url: postgresql://nova_user:${PASSWORD}@postgres:5432/nova\n`,
  );
  writeFileSync(
    join(tree, 'release.yaml'),
    `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: messaging, namespace: nova}
spec:
  values:
    database: {url: "postgresql://nova_user:${PASSWORD}@postgres:5432/nova"}
`,
  );
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'as it was');
  writeFileSync(
    planFile,
    JSON.stringify({
      apiVersion: 'pgb-wizard/v1',
      kind: 'MigrationPlan',
      name: 'files',
      namespace: 'nova',
      baseline: { enabled: false },
      observe: { every: '1s', for: '2s' },
      phases: [{ id: 'p2', title: 'All', services: [...SERVICES, CHARTED].map((name) => ({ name })) }],
    }),
  );
}, 120_000);

afterAll(async () => {
  await cluster?.close();
  rmSync(home, { recursive: true, force: true });
});

const before: Record<string, string> = {};

test('before any run: a diff of every service, the one that Argo CD heals among them, and nothing is written', async () => {
  for (const name of SERVICES) before[name] = textOf(name);
  const looked = await said('manifests', '--dir', tree, '--plan', planFile);
  expect(looked.code, looked.text).toBe(0);
  for (const name of SERVICES) {
    expect(looked.text).toContain(`+++ b/apps/${name}/deployment.yaml`);
    expect(looked.text).toContain(`name: ${name}-pgb-xxxxxxxx`);
  }
  expect(looked.text).not.toContain(PASSWORD);
  expect(looked.text).toContain('nothing was written: 4 files with --write');
  expect(looked.text).toMatch(/deployment\/messaging-service +no file/);
  expect(looked.text).toContain('change its values: chart/values.yaml:3, release.yaml:6.');
  expect(looked.text).toContain('not edited: release.yaml:6 HelmRelease messaging spec.values.database.url');
  const refused = await said('manifests', '--dir', tree, '--plan', planFile, '--write');
  expect(refused.code).toBe(2);
  expect(refused.text).toContain('--run-id');
  expect(git('status', '--porcelain')).toBe('');
});

test('the preflight says who takes a change back, and that their files can follow', async () => {
  const ran = await wizard('preflight', '--plan', planFile);
  const step = ran.envelope.steps.find((one: Json) => one.id === 'preflight');
  const row = step.evidence.find((one: Json) => one.check === 'who else writes these workloads');
  expect(row.observed).toMatch(/Argo CD application shop reverts at once/);
  expect(row.observed).toMatch(/messaging-service \(Helm release messaging\)/);
  expect(row.observed).toContain('in the files they come from: pgb-wizard manifests --dir DIR');
});

test('the healed one is changed in Git alone, with the id of the run to come', async () => {
  const wrote = await wizard(
    'manifests',
    '--dir',
    tree,
    '--plan',
    planFile,
    '--run-id',
    RUN,
    '--service',
    HEALED,
    '--write',
  );
  expect(wrote.code, wrote.stderr).toBe(0);
  expect(wrote.envelope.files.map((one: Json) => one.path)).toEqual([`apps/${HEALED}/deployment.yaml`]);
  expect(entriesOf(parse(textOf(HEALED))).find((one: Json) => one.name === 'DATABASE_URL')).toEqual({
    name: 'DATABASE_URL',
    valueFrom: { secretKeyRef: { name: `${HEALED}-pgb-${RUN}`, key: 'DATABASE_URL' } },
  });
  expect(wrote.envelope.secrets.map((one: Json) => one.name)).toEqual([`${HEALED}-pgb-${RUN}`]);
});

test('a run writes the files of what it switches: they say what the cluster has, and only their entries differ', async () => {
  const ran = await wizard(
    'run',
    '--no-input',
    '--on-blocked',
    'skip',
    '--run-id',
    RUN,
    '--plan',
    planFile,
    '--time-scale',
    '600',
    '--manifests-dir',
    tree,
    '--write-manifests',
    '--stop-after',
    'p2',
  );
  expect(openSteps(ran)).toBe('');
  expect(ran.code, ran.stderr).toBe(3);
  for (const name of SERVICES.filter((one) => one !== HEALED)) {
    expect(entriesOf(parse(textOf(name)))).toEqual(entriesOf(live(name)));
    const changed = git('diff', '--unified=0', '--', `apps/${name}`)
      .split('\n')
      .filter((line) => /^[-+](?![-+])/.test(line));
    for (const line of changed)
      expect(line).toMatch(/DATABASE_URL|value(From)?:|secretKeyRef:|name: .*-pgb-|name: auth-service/);
    expect(textOf(name)).toContain(`# owned by the team of ${name}`);
    expect(textOf(name)).toContain('# the database');
  }
  if (hasKubectl) {
    for (const name of SERVICES.filter((one) => one !== HEALED)) {
      const diff = await kubectl('diff', '--server-side', '-f', pathOf(name));
      expect(diff.code, diff.text).toBe(0);
    }
    const other = join(home, 'other.yaml');
    writeFileSync(other, textOf(SERVICES[0]!).replace('value: info', 'value: trace'));
    const differs = await kubectl('diff', '--server-side', '--force-conflicts', '-f', other);
    expect(differs.code, differs.text).toBe(1);
  }
  const step = ran.envelope.steps.find((one: Json) => one.id === 'p1.prepare');
  const rows = step.evidence.filter((one: Json) => one.check.startsWith('manifest apps/'));
  expect(rows.map((one: Json) => [one.check, one.data])).toEqual(
    SERVICES.filter((one) => one !== HEALED)
      .sort()
      .map((name) => [
        `manifest apps/${name}/deployment.yaml`,
        { before: sha256(before[name]!), after: sha256(textOf(name)) },
      ]),
  );
  const sum = step.evidence.find((one: Json) => one.check === 'manifest files');
  expect(ran.stderr).toContain('no manifest of deployment/messaging-service was edited');
  expect(sum.observed).toMatch(/3 files in .* written; commit them; deployment\/messaging-service: no document of it/);
  const again = await wizard('manifests', '--dir', tree, '--run', RUN);
  expect(again.envelope.workloads.map((one: Json) => one.state)).toEqual(['done', 'done', 'done', 'missing']);
  expect(again.envelope.without[HEALED]).toBe('the run does not switch it');
});

test('the pooler is printed as it was applied: the cluster has nothing to change when it comes from a file', async () => {
  const printed = await said('manifests', '--pooler', '--plan', planFile, '-n', 'nova');
  expect(printed.code, printed.text).toBe(0);
  const [yaml = '', ...notes] = printed.text.split(/^note: /m);
  expect(notes.join('')).toContain('Secret pgbouncer-userlist');
  const kinds = parseAllDocuments(yaml).map((one) => one.toJS().kind);
  expect(kinds).toEqual(['ConfigMap', 'Service', 'PodDisruptionBudget', 'NetworkPolicy', 'Deployment']);
  expect(yaml).not.toMatch(/uid:|resourceVersion|managedFields|status:/);
  expect(yaml).not.toContain(PASSWORD);
  if (!hasKubectl) return;
  const file = join(home, 'pgbouncer.yaml');
  writeFileSync(file, yaml);
  const diff = await kubectl('diff', '--server-side', '--field-manager=pgb-wizard', '-f', file);
  expect(diff.code, diff.text).toBe(0);
});

test('a service that goes back takes its file along, the others are told of, and the record has the digests', async () => {
  const [first] = SERVICES;
  const one = await wizard(
    'rollback',
    '--run',
    RUN,
    '--service',
    first!,
    '--no-input',
    '--manifests-dir',
    tree,
    '--write-manifests',
  );
  expect(textOf(first!), one.stderr).toBe(before[first!]);
  // It is back already: its file, had somebody led it to the pooler again, would be spoken of no more.
  const rest = await wizard('rollback', '--run', RUN, '--all', '--no-input');
  expect(rest.code, rest.stderr).toBe(6);
  expect(rest.stderr).not.toContain(`--service ${first!} `);
  const told = rest.envelope.messages ?? [];
  const hints = [rest.stderr, JSON.stringify(told)].join('\n');
  expect(hints).toContain(`--service cdn-service --revert --write`);
  const back = await said('manifests', '--dir', tree, '--run', RUN, '--revert', '--write');
  expect(back.code, back.text).toBe(0);
  expect(back.text).not.toContain(PASSWORD);
  for (const name of SERVICES.filter((one) => one !== HEALED)) expect(textOf(name)).toBe(before[name]);
  expect(git('diff', '--stat', '--', '.', `:!apps/${HEALED}`)).toBe('');
  await said('export', '--run', RUN, '--to', join(home, 'exported'));
  const record = [...everyFile(join(home, 'runs', RUN)), ...everyFile(join(home, 'exported'))];
  expect(record.some((file) => readFileSync(file, 'utf8').includes(sha256(before[first!]!)))).toBe(true);
  for (const file of record) expect(readFileSync(file, 'utf8'), file).not.toContain(PASSWORD);
});

test('files that were written for services that never moved go back with everything', async () => {
  const run = 'd4c3b2a1';
  const files = ['--manifests-dir', tree, '--write-manifests'];
  const base = ['--no-input', '--plan', planFile, '--time-scale', '600'];
  const ran = await wizard(
    'run',
    ...base,
    '--on-blocked',
    'skip',
    '--run-id',
    run,
    '--fresh',
    '--stop-after',
    'p1',
    ...files,
  );
  expect(ran.code, ran.stderr).toBe(3);
  const name = 'cdn-service';
  expect(textOf(name)).not.toBe(before[name]);
  const told = await wizard('rollback', '--run', run, '--all', '--no-input');
  expect(told.stderr).toContain('--service cdn-service --service auth-service --revert --write');
  const back = await wizard('rollback', '--run', run, '--all', '--no-input', ...files);
  expect(back.code, back.stderr).toBe(6);
  const journal = readFileSync(join(home, 'runs', run, 'events.jsonl'), 'utf8');
  expect(journal).toContain('manifest apps/cdn-service/deployment.yaml: sha256');
  for (const one of SERVICES.filter((other) => other !== HEALED)) expect(textOf(one)).toBe(before[one]);
});
