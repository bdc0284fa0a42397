/** Every kind of source and workload, and every way to write JSON: the file says what the live patch makes, and goes back. */
import { expect, test } from 'vitest';
import { canonicalJson } from '../kube/fingerprint.ts';
import { parseFile } from './documents.ts';
import { changeOf, livesIn, patched, sourcesOf } from './testing/changes.ts';
import { planOf } from './testing/plans.ts';

const sources = sourcesOf(
  {
    creds: {
      URL: 'postgres://u:of-secret@postgres/nova',
      'app.conf': 'url=postgres://u:of-secret@postgres:5432/nova\n',
    },
  },
  {
    settings: { HOST: 'postgres', PORT: '5432', 'app.yaml': 'db: postgres://u@postgres:5432/nova\n' },
    split: { 'app.toml': '[db]\nhost = "postgres"\nport = 5432\n' },
  },
);

const yaml = (kind: string, pod: string): string => `apiVersion: ${kind === 'CronJob' ? 'batch/v1' : 'apps/v1'}
kind: ${kind}
metadata: {name: svc}
spec:
${
  kind === 'CronJob'
    ? `  schedule: "0 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
${pod.replace(/^/gm, '          ')}`
    : `  selector: {matchLabels: {app: svc}}
  template:
    spec:
${pod.replace(/^/gm, '      ')}`
}
`;

const container = (lines: string): string =>
  `containers:\n  - name: app\n    image: x\n${lines.replace(/^/gm, '    ')}`;
const json = (entry: unknown): unknown => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'svc' },
  spec: { template: { spec: { containers: [{ name: 'app', image: 'x', ...(entry as object) }] } } },
});
const literal = {
  env: [
    { name: 'A', value: '1' },
    { name: 'DB_HOST', value: 'postgres' },
    { name: 'DB_PORT', value: '5432' },
  ],
};
const from = { env: [{ name: 'URL', valueFrom: { secretKeyRef: { name: 'creds', key: 'URL' } } }] };
const added = { envFrom: [{ secretRef: { name: 'creds' } }] };
const addedBeside = { env: [{ name: 'A', value: '1' }], ...added };

test.each([
  [
    'a StatefulSet',
    yaml(
      'StatefulSet',
      container('env:\n  - name: DB_HOST\n    value: postgres\n  - name: DB_PORT\n    value: "5432"'),
    ),
  ],
  ['a CronJob', yaml('CronJob', container("env: [{name: URL, value: 'postgres://u@postgres/nova'}]\nargs: [--now]"))],
  [
    'a DaemonSet',
    yaml('DaemonSet', container('env:\n- name: URL\n  value: jdbc:postgresql://postgres.nova.svc:5432/nova?ssl=false')),
  ],
  [
    'a key of a Secret',
    yaml(
      'Deployment',
      container(
        'env:\n  - name: URL\n    valueFrom:\n      secretKeyRef:\n        name: creds # theirs\n        key: URL',
      ),
    ),
  ],
  [
    'all keys of a Secret, with a prefix',
    yaml('Deployment', container('envFrom:\n  - prefix: DB_\n    secretRef: {name: creds}')),
  ],
  [
    'a key that another variable refers to',
    yaml(
      'Deployment',
      container('envFrom:\n  - secretRef: {name: creds}\nenv:\n  # both\n  - name: BOTH\n    value: $(URL)?x=1'),
    ),
  ],
  [
    'an argument without a password',
    yaml('Deployment', container('args:\n  - --db=postgres://u@postgres:5432/nova # here\n  - -v')),
  ],
  [
    'a host and a port behind flags',
    yaml('Deployment', container('args:\n  - serve\n  - --db-host # ours\n  - postgres\n  - "--db-port=5432"\n  - -v')),
  ],
  [
    'settings in a file of a ConfigMap',
    yaml(
      'Deployment',
      `${container('volumeMounts: [{name: conf, mountPath: /c}]')}\nvolumes:\n  - name: conf\n    configMap: {name: split} # theirs`,
    ),
  ],
  [
    'a file of a Secret',
    yaml(
      'Deployment',
      `${container('volumeMounts: [{name: conf, mountPath: /c}]')}\nvolumes:\n  - name: conf\n    secret:\n      # by the store\n      secretName: creds`,
    ),
  ],
  [
    'a file of a ConfigMap among others',
    yaml(
      'Deployment',
      `${container('volumeMounts: [{name: all, mountPath: /c}]')}\nvolumes:\n  - name: all\n    projected:\n      sources:\n        - secret: {name: other}\n        - configMap: {name: settings}`,
    ),
  ],
])('%s', async (_, text) => {
  const changes = livesIn(text).map((live) => changeOf(live, sources));
  const there = await planOf('a.yaml', text, changes, 'forward');
  expect(there.workloads.map((one) => one.state)).toEqual(['change']);
  const now = parseFile(there.files[0]!.after)!.values.filter((one) => one.kind !== 'ConfigMap');
  expect(canonicalJson(now)).toBe(canonicalJson(patched(text, changes)));
  expect(there.files[0]!.after).not.toContain('of-secret');
  const back = await planOf('a.yaml', there.files[0]!.after, changes, 'back');
  expect(back.files[0]!.after).toBe(text);
});

test.each([
  ['two blanks', (value: unknown) => `${JSON.stringify(value, null, 2)}\n`],
  ['four blanks', (value: unknown) => JSON.stringify(value, null, 4)],
  ['tabs', (value: unknown) => `${JSON.stringify(value, null, '\t')}\n`],
  ['one line', (value: unknown) => JSON.stringify(value)],
])('JSON with %s', async (_, written) => {
  for (const [what, entry] of Object.entries({ literal, from, added, addedBeside })) {
    for (const value of [json(entry), { apiVersion: 'v1', kind: 'List', items: [json(entry)] }]) {
      const text = written(value);
      const changes = livesIn(text).map((live) => changeOf(live, sources));
      const there = await planOf('a.json', text, changes, 'forward');
      expect(
        there.workloads.map((one) => one.state),
        what,
      ).toEqual(['change']);
      const after = there.files[0]!.after;
      expect(canonicalJson([JSON.parse(after)]), what).toBe(canonicalJson(patched(text, changes)));
      // What was pretty stays as pretty as it was.
      if (text.includes('\n  ')) expect(after, what).toBe(written(JSON.parse(after)));
      const back = await planOf('a.json', after, changes, 'back');
      expect(canonicalJson(JSON.parse(back.files[0]!.after)), what).toBe(canonicalJson(value));
    }
  }
});

test('an argument with a password leaves it to a variable', async () => {
  const text = yaml('Deployment', container("args: ['--db', 'postgres://u:in-the-file@postgres:5432/nova']"));
  const changes = livesIn(text).map((live) => changeOf(live, sources));
  const there = await planOf('a.yaml', text, changes, 'forward');
  expect(canonicalJson(parseFile(there.files[0]!.after)!.values)).toBe(canonicalJson(patched(text, changes)));
  expect(there.files[0]!.after).not.toContain('in-the-file');
  const back = await planOf('a.yaml', there.files[0]!.after, changes, 'back');
  expect(back.workloads.map((one) => one.state)).toEqual(['by-hand']);
});
