import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { planManifests } from './plan.ts';
import { folderOf, NAMESPACE, removeFolders, TARGET, TO } from './testing/changes.ts';
import { changesOf, deployment, PASSWORD, planIn, repository, states, URL } from './testing/plans.ts';

afterAll(removeFolders);

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
    const found = await planIn(dir, changesOf(text));
    expect(found.files.map((file) => file.path)).toEqual(['d/prod.yaml']);
  });

  test('the same entry in two documents is written in neither, and both are named', async () => {
    const text = deployment(URL);
    const found = await planIn(folderOf({ 'prod.yaml': text, 'staging.yaml': text }), changesOf(text));
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
    const found = await planIn(dir, changesOf(deployment(URL)));
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
    const found = await planIn(dir, changesOf(text));
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
    const found = await planIn(dir, changesOf(text));
    expect(states(found)).toEqual(['deployment/auth ambiguous']);
    expect(found.mentions.map((one) => `${one.path}:${one.line} ${one.what}`)).toEqual([
      'overlays/staging/Kustomization:2 kustomization configMapGenerator.literals',
    ]);
  });

  test('a reference beside a value of the base would be two sources at once for kustomize: by hand', async () => {
    const base = deployment('- name: DATABASE_URL\n  value: postgres://dev@localhost/dev');
    const prod = deployment(PASSWORD).replace('          image: registry/auth:1\n', '');
    const found = await planIn(folderOf({ 'base.yaml': base, 'prod.yaml': prod }), changesOf(deployment(PASSWORD)));
    expect(states(found)).toEqual(['deployment/auth by-hand']);
    expect(found.workloads[0]!.detail).toContain('base.yaml:14 sets it too');
  });

  test('a value that the cluster does not have is drift: shown without its password, not written', async () => {
    const live = deployment(URL);
    const file = deployment('- name: DATABASE_URL\n  value: postgres://u:of-the-file@elsewhere:5432/nova');
    const found = await planIn(folderOf({ 'auth.yaml': file }), changesOf(live));
    expect(states(found)).toEqual(['deployment/auth differs']);
    expect(found.workloads[0]!.detail).toBe(
      'app/DATABASE_URL is postgres://u:•••@elsewhere:5432/nova in auth.yaml:14, and the cluster has postgres://u@postgres:5432/nova',
    );
  });

  test('a workload is edited as a whole or not at all', async () => {
    const live = deployment('- {name: DB_HOST, value: postgres}\n- {name: DB_PORT, value: "5432"}');
    const file = deployment('- {name: DB_HOST, value: postgres}');
    const found = await planIn(folderOf({ 'auth.yaml': file }), changesOf(live));
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
    const found = await planIn(dir, changesOf(text));
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
    expect(states(await planIn(join(dir, 'rendered'), changesOf(text)))).toEqual(['deployment/auth change']);
  });

  test('what a file makes of the terminal is taken out of all that is shown, and stays in the file', async () => {
    const text = deployment('- name: DATABASE_URL # \u001B[2J\u202Egone\n  value: postgres://u@postgres:5432/nova');
    const found = await planIn(
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
    const found = await planIn(dir, changesOf(deployment(URL)));
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
    const found = await planIn(dir, changesOf(text));
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
    expect((await planIn(dir, changesOf(text))).skipped).toEqual([{ path: 'broken.yaml', reason: 'no valid YAML' }]);
  });
});
