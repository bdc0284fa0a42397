import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseFile } from './documents.ts';
import { planManifests } from './plan.ts';
import { changeOf, folderOf, livesIn, NAMESPACE, removeFolders, sourcesOf, TARGET, TO } from './testing/changes.ts';
import type { Direction, ManifestPlan, WantedChange } from './types.ts';
import { writeManifests } from './write.ts';

afterAll(removeFolders);

const deployment = (env: string, name = 'auth', more = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: app
          image: registry/${name}:1
          env:
${env.replace(/^/gm, '            ')}
${more}`;

const URL = '- name: DATABASE_URL\n  value: postgres://u@postgres:5432/nova # direct';
const PASSWORD = '- name: DATABASE_URL\n  value: "postgres://u:in-the-file@postgres:5432/nova" # direct';

async function plan(
  dir: string,
  changes: readonly WantedChange[],
  direction: Direction = 'forward',
): Promise<ManifestPlan> {
  const found = await planManifests({ dir, namespace: NAMESPACE, changes, direction, target: TARGET, to: TO });
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
}

const changesOf = (text: string, sources = sourcesOf()): WantedChange[] =>
  livesIn(text).map((live) => changeOf(live, sources));

const states = (found: ManifestPlan): string[] => found.workloads.map((one) => `${one.id} ${one.state}`);

function repository(files: Readonly<Record<string, string>>): string {
  const dir = folderOf(files);
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', dir, '-c', 'user.name=t', '-c', 'user.email=t@example', ...args], { stdio: 'pipe' });
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'as it was');
  return dir;
}

describe('which file', () => {
  test('a document of another namespace, group or kind is not the workload; one without a namespace is', async () => {
    const text = deployment(URL);
    const other = text.replace('name: auth\n', 'name: auth\n  namespace: staging\n');
    const dir = folderOf({
      'a/staging.yaml': other,
      'b/old.yaml': text.replace('apps/v1', 'example.com/v1'),
      'c/set.yml': text.replace('kind: Deployment', 'kind: StatefulSet'),
      'd/prod.yaml': text,
    });
    const found = await plan(dir, changesOf(text));
    expect(found.files.map((file) => file.path)).toEqual(['d/prod.yaml']);
  });

  test('the same entry in two documents is written in neither, and both are named', async () => {
    const text = deployment(URL);
    const found = await plan(folderOf({ 'prod.yaml': text, 'staging.yaml': text }), changesOf(text));
    expect(states(found)).toEqual(['deployment/auth ambiguous']);
    expect(found.workloads[0]!.places.map((one) => one.path)).toEqual(['prod.yaml', 'staging.yaml']);
    expect(found.files).toEqual([]);
  });

  test('the patch of an overlay that sets the entry is edited, its base with another value is named', async () => {
    const base = deployment('- name: DATABASE_URL\n  value: postgres://dev@localhost/dev');
    const patch = `apiVersion: apps/v1
kind: Deployment
metadata: {name: auth}
spec:
  template:
    spec:
      containers:
        - name: app
          env:
            - {name: DATABASE_URL, value: 'postgres://u@postgres:5432/nova'}
`;
    const dir = folderOf({ 'base/auth.yaml': base, 'overlays/prod/auth.yaml': patch });
    const found = await plan(dir, changesOf(deployment(URL)));
    expect(found.files.map((file) => file.path)).toEqual(['overlays/prod/auth.yaml']);
    expect(found.files[0]!.after).toBe(patch.replace('postgres:5432', 'pgbouncer:6432'));
    expect(found.workloads[0]!.detail).toContain('base/auth.yaml:14 has another value');
  });

  test('a base that several overlays build on is left alone unless it is asked for', async () => {
    const text = deployment(URL);
    const overlay = (more: string) => `resources: [../../base]\n${more}`;
    const dir = folderOf({
      'base/auth.yaml': text,
      'base/kustomization.yaml': 'resources: [auth.yaml]\n',
      'overlays/prod/kustomization.yaml': overlay('namespace: nova\n'),
      'overlays/staging/kustomization.yaml': overlay('namespace: staging\n'),
    });
    const found = await plan(dir, changesOf(text));
    expect(states(found)).toEqual(['deployment/auth ambiguous']);
    expect(found.workloads[0]!.detail).toBe(
      'base/auth.yaml is built into overlays/prod, overlays/staging: a change of it reaches all of them',
    );
    expect(found.files).toEqual([]);
    const request = { dir, namespace: NAMESPACE, direction: 'forward', target: TARGET, to: TO } as const;
    const asked = await planManifests({ ...request, changes: changesOf(text), shared: true });
    expect(asked.ok && asked.value.files.map((file) => file.path)).toEqual(['base/auth.yaml']);
  });

  test('a kustomization without an ending is one too', async () => {
    const text = deployment(URL);
    const dir = folderOf({
      'base/auth.yaml': text,
      'base/Kustomization': 'resources: [auth.yaml]\n',
      'overlays/prod/Kustomization': 'resources: [../../base]\n',
      'overlays/staging/Kustomization':
        'resources: [../../base/]\nconfigMapGenerator: [{literals: [DB_HOST=postgres]}]\n',
    });
    const found = await plan(dir, changesOf(text));
    expect(states(found)).toEqual(['deployment/auth ambiguous']);
    expect(found.mentions.map((one) => `${one.path}:${one.line} ${one.what}`)).toEqual([
      'overlays/staging/Kustomization:2 kustomization configMapGenerator.literals',
    ]);
  });

  test('a reference beside a value of the base would be two sources at once for kustomize: by hand', async () => {
    const base = deployment('- name: DATABASE_URL\n  value: postgres://dev@localhost/dev');
    const prod = deployment(PASSWORD).replace('          image: registry/auth:1\n', '');
    const found = await plan(folderOf({ 'base.yaml': base, 'prod.yaml': prod }), changesOf(deployment(PASSWORD)));
    expect(states(found)).toEqual(['deployment/auth by-hand']);
    expect(found.workloads[0]!.detail).toContain('base.yaml:14 sets it too');
  });

  test('a value that the cluster does not have is drift: shown without its password, not written', async () => {
    const live = deployment(URL);
    const file = deployment('- name: DATABASE_URL\n  value: postgres://u:of-the-file@elsewhere:5432/nova');
    const found = await plan(folderOf({ 'auth.yaml': file }), changesOf(live));
    expect(states(found)).toEqual(['deployment/auth differs']);
    expect(found.workloads[0]!.detail).toBe(
      'app/DATABASE_URL is postgres://u:•••@elsewhere:5432/nova in auth.yaml:14, and the cluster has postgres://u@postgres:5432/nova',
    );
  });

  test('a workload is edited as a whole or not at all', async () => {
    const live = deployment('- {name: DB_HOST, value: postgres}\n- {name: DB_PORT, value: "5432"}');
    const file = deployment('- {name: DB_HOST, value: postgres}');
    const found = await plan(folderOf({ 'auth.yaml': file }), changesOf(live));
    expect(states(found)).toEqual(['deployment/auth missing']);
    expect(found.workloads[0]!.detail).toContain('DB_PORT');
    expect(found.files).toEqual([]);
  });

  test('what Git ignores, node_modules, links out of the folder, binary and huge files are left out', async () => {
    const text = deployment(URL);
    const outside = folderOf({ 'auth.yaml': text });
    const dir = repository({
      '.gitignore': 'rendered/\n',
      'auth.yaml': text,
      'rendered/auth.yaml': text,
      'node_modules/x/auth.yaml': text,
    });
    symlinkSync(join(outside, 'auth.yaml'), join(dir, 'linked.yaml'));
    symlinkSync(outside, join(dir, 'folder'));
    symlinkSync('auth.yaml', join(dir, 'inside.yaml'));
    writeFileSync(join(dir, 'binary.yaml'), Buffer.concat([Buffer.from(text), Buffer.from([0])]));
    writeFileSync(join(dir, 'latin.yaml'), Buffer.concat([Buffer.from(text), Buffer.from([0xe9, 0x0a])]));
    writeFileSync(join(dir, 'huge.yaml'), `${text}# ${'x'.repeat(2 * 1024 * 1024)}\n`);
    const found = await plan(dir, changesOf(text));
    expect(found.files.map((file) => file.path)).toEqual(['auth.yaml']);
    expect(Object.fromEntries(found.skipped.map((one) => [one.path, one.reason]))).toEqual({
      'linked.yaml': 'a symbolic link that leads out of the folder',
      folder: 'a symbolic link that leads out of the folder',
      'binary.yaml': 'binary',
      'latin.yaml': 'not UTF-8',
      'huge.yaml': 'larger than 2 MiB',
    });
  });

  test('a folder that is ignored as a whole means its files', async () => {
    const text = deployment(URL);
    const dir = repository({ '.gitignore': 'rendered/\n', 'rendered/auth.yaml': text });
    expect(states(await plan(join(dir, 'rendered'), changesOf(text)))).toEqual(['deployment/auth change']);
  });

  test('two equal arguments change both, and go back both', async () => {
    const DSN = 'postgres://u@postgres/nova';
    const text = deployment('[]').replace(/env:[\s\S]*/, `args: ['--rw', '${DSN}', '--ro', '${DSN}']\n`);
    const changes = changesOf(text);
    const there = await plan(folderOf({ 'auth.yaml': text }), changes);
    expect(there.files[0]!.after).toBe(text.replaceAll('@postgres/', '@pgbouncer:6432/'));
    const back = await plan(folderOf({ 'auth.yaml': there.files[0]!.after }), changes, 'back');
    expect(back.files[0]!.after).toBe(text);
  });

  test('what a file makes of the terminal is taken out of all that is shown, and stays in the file', async () => {
    const text = deployment('- name: DATABASE_URL # \u001B[2J\u202Egone\n  value: postgres://u@postgres:5432/nova');
    const found = await plan(
      folderOf({ 'auth.yaml': text, 'other.yaml': `kind: "\\e[2JThing"\nmetadata: {name: x}\nhost: postgres\n` }),
      changesOf(text),
    );
    expect(found.files[0]!.after).toContain('# \u001B[2J\u202Egone');
    const { before: _, after: __, ...shown } = found.files[0]!;
    expect(`${shown.diff.join('')}${found.mentions.map((one) => one.what).join('')}`).not.toMatch(/[\u001B\u202E]/);
    expect(found.mentions.map((one) => one.what)).toEqual(['Thing x host']);
  });

  test.skipIf(process.getuid?.() === 0)('a folder that may not be read is a usage error', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL) });
    chmodSync(dir, 0o100);
    const request = { namespace: NAMESPACE, changes: [], direction: 'forward', target: TARGET, to: TO } as const;
    const found = await planManifests({ ...request, dir });
    chmodSync(dir, 0o700);
    expect(!found.ok && found.error.code).toBe('usage');
  });

  test('no folder is a usage error', async () => {
    const request = { namespace: NAMESPACE, changes: [], direction: 'forward', target: TARGET, to: TO } as const;
    const found = await planManifests({ ...request, dir: '/nowhere/at/all' });
    expect(!found.ok && found.error.code).toBe('usage');
  });
});

describe('what is not edited is named', () => {
  test('templates of a chart are no YAML: the values with the address are named, with their lines', async () => {
    const template = deployment('- name: DATABASE_URL\n  value: {{ .Values.db.url | quote }}');
    const dir = folderOf({
      'chart/Chart.yaml': 'apiVersion: v2\nname: auth\n',
      'chart/templates/auth.yaml': template,
      'chart/values.yaml': 'replicas: 2\ndb:\n  url: postgres://u:of-values@postgres:5432/nova\n  host: postgres\n',
      'env/prod-values.yaml': 'db: {host: postgres.nova.svc}\n',
    });
    const found = await plan(dir, changesOf(deployment(URL)));
    expect(states(found)).toEqual(['deployment/auth missing']);
    expect(found.charts).toEqual(['chart']);
    expect(found.mentions.map((one) => `${one.path}:${one.line} ${one.what} = ${one.shown}`)).toEqual([
      'chart/values.yaml:3 values db.url = postgres://u:•••@postgres:5432/nova',
      'chart/values.yaml:4 values db.host = postgres',
      'env/prod-values.yaml:1 values db.host = postgres.nova.svc',
    ]);
    expect(found.workloads[0]!.next).toEqual([
      'If a Helm chart makes it, change its values: chart/values.yaml:3, chart/values.yaml:4, env/prod-values.yaml:1.',
    ]);
  });

  test('generators and inline patches of kustomize, HelmReleases and other workloads', async () => {
    const text = deployment(URL);
    const dir = folderOf({
      'auth.yaml': text,
      'kustomization.yaml': `resources: [auth.yaml]
configMapGenerator:
  - name: db
    literals:
      - DB_HOST=postgres
      - LEVEL=debug
patches:
  - patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/env/0/value
        value: postgres://u@postgres:5432/nova
    target: {kind: Deployment, name: auth}
`,
      'release.yaml': `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: feed}
spec:
  values:
    database: {address: postgres:5432}
`,
      'other.yaml': deployment(URL, 'report-writer'),
      'package.json': '{"dependencies": {"postgres": "^3.0.0"}}',
    });
    const found = await plan(dir, changesOf(text));
    expect(states(found)).toEqual(['deployment/auth change']);
    expect(found.mentions.map((one) => `${one.path}:${one.line} ${one.what}`)).toEqual([
      'kustomization.yaml:5 kustomization configMapGenerator.literals',
      'kustomization.yaml:8 kustomization patches.patch',
      'other.yaml:15 Deployment report-writer spec.template.spec.containers.env.value.(DATABASE_URL)',
      'release.yaml:6 HelmRelease feed spec.values.database.address',
    ]);
    expect(found.mentions.at(-1)!.helm).toBe(true);
  });

  test('a file that is no YAML and speaks of the workload is told, any other is not read', async () => {
    const text = deployment(URL);
    const dir = folderOf({ 'auth.yaml': text, 'broken.yaml': `auth: [1\nb: }`, 'other.yaml': '[1\nb: }' });
    expect((await plan(dir, changesOf(text))).skipped).toEqual([{ path: 'broken.yaml', reason: 'no valid YAML' }]);
  });
});

describe('Secrets and ConfigMaps', () => {
  test('a password leaves the file; the diff, the plan and the neighbours never show one', async () => {
    const text = deployment(
      `${PASSWORD}\n- name: API_KEY\n  value: do-not-show-me\n- name: DB_PASSWORD\n  value: nor-this-one`,
      'auth',
      '---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: not-this-either}\n',
    );
    const found = await plan(folderOf({ 'auth.yaml': text }), changesOf(text));
    const shown = JSON.stringify({ ...found, files: found.files.map(({ before: _, after: __, ...rest }) => rest) });
    for (const word of ['in-the-file', 'do-not-show-me', 'nor-this-one', 'not-this-either']) {
      expect(shown).not.toContain(word);
    }
    expect(found.files[0]!.after).not.toContain('in-the-file');
    expect(found.files[0]!.after).toContain('do-not-show-me');
    expect(found.secrets.map((one) => `${one.name} ${one.keys}`)).toEqual(['auth-pgb-7f3a1b2c DATABASE_URL']);
  });

  test.each([
    ['ExternalSecret', 'metadata: {name: es}\nspec: {target: {name: db}}'],
    ['SealedSecret', 'metadata: {name: db}\nspec: {encryptedData: {URL: AgBy}}'],
    ['Secret', 'metadata: {name: db}\nsops: {version: 3.9.0}\nstringData: {URL: "ENC[AES256_GCM,data:x]"}'],
  ])('%s: what makes the old Secret is named, with its line', async (kind, rest) => {
    const text = deployment('- name: DATABASE_URL\n  valueFrom: {secretKeyRef: {name: db, key: URL}}');
    const sources = sourcesOf({ db: { URL: 'postgres://u:of-secret@postgres:5432/nova' } });
    const maker = `apiVersion: x/v1\nkind: ${kind}\n${rest}\n`;
    const found = await plan(folderOf({ 'auth.yaml': text, 'secrets/postgres.yaml': maker }), changesOf(text, sources));
    expect(found.secrets[0]!.maker).toMatchObject({ path: 'secrets/postgres.yaml', line: 1 });
    expect(found.secrets[0]!.next.join()).toContain(kind === 'Secret' ? 'SOPS Secret' : kind);
    expect(found.files[0]!.after).toBe(text.replace('name: db,', 'name: auth-pgb-7f3a1b2c,'));
  });

  test('a ConfigMap is written behind the document that refers to it, and taken out on the way back', async () => {
    const text = deployment('- name: DATABASE_URL\n  valueFrom:\n    configMapKeyRef: {name: db, key: URL}');
    const changes = changesOf(text, sourcesOf({}, { db: { URL: 'postgres://u@postgres:5432/nova' } }));
    const there = await plan(folderOf({ 'auth.yaml': text }), changes);
    const documents = parseFile(there.files[0]!.after)!.values;
    expect(documents[1]).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'auth-pgb-7f3a1b2c' },
      data: { URL: 'postgres://u@pgbouncer:6432/nova' },
    });
    expect(documents[1].metadata.namespace).toBeUndefined();
    const back = await plan(folderOf({ 'auth.yaml': there.files[0]!.after }), changes, 'back');
    expect(back.files[0]!.after).toBe(text);
  });
});

describe('a ConfigMap that goes into no file keeps its workload from being edited', () => {
  const MAP = '- name: DATABASE_URL\n  valueFrom:\n    configMapKeyRef: {name: db, key: URL}';

  test('because JSON holds one document', async () => {
    const text = JSON.stringify(parseFile(deployment(MAP))!.values[0], null, 2);
    const changes = changesOf(text, sourcesOf({}, { db: { URL: 'postgres://u@postgres:5432/nova' } }));
    const found = await plan(folderOf({ 'auth.json': text }), changes);
    expect(found.workloads[0]).toMatchObject({ state: 'by-hand' });
    expect(found.workloads[0]!.detail).toContain("auth.json can't hold the new ConfigMap auth-pgb-7f3a1b2c");
    expect(found.files).toEqual([]);
  });

  test('because another key of the file that it copies holds a password', async () => {
    const text = deployment(URL, 'auth').replace(
      /env:[\s\S]*/,
      'volumeMounts: [{name: c, mountPath: /c}]\n      volumes: [{name: c, configMap: {name: conf}}]\n',
    );
    const conf = { url: 'postgres://u@postgres:5432/nova\n', other: 'postgres://u:in-the-map@elsewhere/nova\n' };
    const changes = changesOf(text, sourcesOf({}, { conf }));
    const found = await plan(folderOf({ 'auth.yaml': text }), changes);
    expect(states(found)).toEqual(['deployment/auth by-hand']);
    expect(JSON.stringify(found)).not.toContain('in-the-map');
  });
});

describe('shared by an anchor', () => {
  const shared = (use: string): string =>
    deployment(`- name: DATABASE_URL\n  value: &db postgres://u@postgres:5432/nova\n- name: ${use}\n  value: *db`);

  test('two entries that both change stay one', async () => {
    const found = await plan(folderOf({ 'a.yaml': shared('REPORT_URL') }), changesOf(shared('REPORT_URL')));
    expect(found.files[0]!.after).toBe(shared('REPORT_URL').replace('postgres:5432', 'pgbouncer:6432'));
  });

  test('an entry that must not change keeps the whole from being edited', async () => {
    const text = shared('OTHER').replace('value: *db', `value: *db\n      initContainers: []`);
    const live = livesIn(text);
    const [change] = live.map((one) => changeOf(one));
    const only = { ...change!, edits: change!.edits.slice(0, 1) };
    const found = await plan(folderOf({ 'a.yaml': text }), [only]);
    expect(states(found)).toEqual(['deployment/auth by-hand']);
    expect(found.files).toEqual([]);
  });
});

describe('the way back', () => {
  test('a password comes from an older version of the file in Git, with its quotes', async () => {
    const text = deployment(PASSWORD);
    const dir = repository({ 'auth.yaml': text });
    const changes = changesOf(text);
    expect(writeManifests(await plan(dir, changes)).ok).toBe(true);
    expect(readFileSync(join(dir, 'auth.yaml'), 'utf8')).not.toContain('in-the-file');
    const back = await plan(dir, changes, 'back');
    expect(back.files[0]!.after).toBe(text);
    expect(back.files[0]!.diff.join('\n')).not.toContain('in-the-file');
  });

  test('where Git never had it, it is not taken out of the cluster into a file', async () => {
    const text = deployment(PASSWORD);
    const dir = folderOf({ 'auth.yaml': text });
    const changes = changesOf(text);
    writeManifests(await plan(dir, changes));
    const back = await plan(dir, changes, 'back');
    expect(states(back)).toEqual(['deployment/auth by-hand']);
    expect(back.files).toEqual([]);
  });
});

describe('writing', () => {
  test('keeps the mode, says how Git sees the file, and repeats without harm', async () => {
    const text = deployment(URL);
    const dir = repository({ 'auth.yaml': text, 'user.yaml': deployment(URL, 'user') });
    chmodSync(join(dir, 'auth.yaml'), 0o640);
    writeFileSync(join(dir, 'user.yaml'), `${deployment(URL, 'user')}# mine, not committed\n`);
    writeFileSync(join(dir, 'new.yaml'), deployment(URL, 'new'));
    const changes = ['auth', 'user', 'new'].flatMap((name) => changesOf(deployment(URL, name)));
    const found = await plan(dir, changes);
    expect(found.files.map((file) => `${file.path} ${file.git}`)).toEqual([
      'auth.yaml clean',
      'new.yaml untracked',
      'user.yaml modified',
    ]);
    const first = writeManifests(found);
    expect(first.ok && first.value.map((file) => file.path)).toEqual(['auth.yaml', 'new.yaml', 'user.yaml']);
    expect(statSync(join(dir, 'auth.yaml')).mode & 0o777).toBe(0o640);
    expect(readFileSync(join(dir, 'user.yaml'), 'utf8')).toContain('# mine, not committed');
    expect(writeManifests(found).ok).toBe(true);
    expect(states(await plan(dir, changes))).toEqual([
      'deployment/auth done',
      'deployment/user done',
      'deployment/new done',
    ]);
  });

  test('a file that changed since it was looked at keeps all of them from being written', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL), 'user.yaml': deployment(URL, 'user') });
    const found = await plan(dir, [...changesOf(deployment(URL)), ...changesOf(deployment(URL, 'user'))]);
    writeFileSync(join(dir, 'user.yaml'), 'mine: now\n');
    const written = writeManifests(found);
    expect(!written.ok && written.error.code).toBe('drift');
    expect(readFileSync(join(dir, 'auth.yaml'), 'utf8')).toBe(deployment(URL));
    expect(readFileSync(join(dir, 'user.yaml'), 'utf8')).toBe('mine: now\n');
  });

  test.skipIf(process.getuid?.() === 0)('a file that may not be written is told before any is', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL), 'user.yaml': deployment(URL, 'user') });
    const found = await plan(dir, [...changesOf(deployment(URL)), ...changesOf(deployment(URL, 'user'))]);
    chmodSync(join(dir, 'user.yaml'), 0o400);
    const written = writeManifests(found);
    expect(!written.ok && written.error.code).toBe('prerequisite-missing');
    expect(readFileSync(join(dir, 'auth.yaml'), 'utf8')).toBe(deployment(URL));
  });

  test('a file that became a link is not written through it', async () => {
    const dir = folderOf({ 'auth.yaml': deployment(URL) });
    const found = await plan(dir, changesOf(deployment(URL)));
    const outside = folderOf({ 'auth.yaml': deployment(URL) });
    execFileSync('rm', [join(dir, 'auth.yaml')]);
    symlinkSync(join(outside, 'auth.yaml'), join(dir, 'auth.yaml'));
    expect(writeManifests(found).ok).toBe(false);
    expect(readFileSync(join(outside, 'auth.yaml'), 'utf8')).toBe(deployment(URL));
  });
});
