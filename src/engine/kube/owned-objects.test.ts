/** What a switch makes of its own: one Secret, and copies of what is mounted. */
import { expect, test } from 'vitest';
import { changeOf, liveOf, sourcesOf } from '../manifests/testing/changes.ts';
import { neededAccess } from './access-needs.ts';
import { copyName, ownedName } from './owned-objects.ts';
import type { Json } from './types.ts';

const RUN = '7f3a1b2c';
const url = (user: string, host = 'postgres:5432') => `postgresql://${user}:of-${user}@${host}/nova`;
const clear = (data: Record<string, string>) =>
  Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]));

const mounting = (name: string, volumes: Json[], container: Json = {}) =>
  liveOf({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      template: {
        spec: {
          containers: [
            {
              name: 'app',
              volumeMounts: volumes.map((one) => ({ name: one.name, mountPath: `/${one.name}` })),
              ...container,
            },
          ],
          volumes,
        },
      },
    },
  });

test('two workloads that mount different files of one Secret get a copy each', () => {
  const sources = sourcesOf({ shared: { left: url('left'), right: url('right') } });
  const of = (name: string) => {
    const change = changeOf(
      mounting(name, [{ name: 'config', secret: { secretName: 'shared', items: [{ key: name, path: 'dsn' }] } }]),
      sources,
    );
    expect(change.objects).toHaveLength(1);
    const { ref, manifest } = change.objects[0]!;
    expect(change.edits).toMatchObject([{ kind: 'volume', after: { secret: { secretName: ref.name } } }]);
    return { name: ref.name, data: clear(manifest.data) };
  };
  const [left, right] = [of('left'), of('right')];
  expect(left.name).not.toBe(right.name);
  expect(left.data).toEqual({ left: url('left', 'pgbouncer:6432'), right: url('right') });
  expect(right.data).toEqual({ left: url('left'), right: url('right', 'pgbouncer:6432') });
});

test('the copy of a Secret that is named like the workload is not the Secret with its new addresses', () => {
  const { objects } = changeOf(
    mounting('auth', [{ name: 'config', secret: { secretName: 'auth' } }], {
      env: [{ name: 'DATABASE_URL', value: url('literal') }],
    }),
    sourcesOf({ auth: { dsn: url('mounted') } }),
  );
  expect(new Set(objects.map(({ ref }) => ref.name)).size).toBe(2);
  expect(objects.map(({ ref }) => ref.name)).toContain(ownedName('auth', RUN));
});

test('a file with several addresses has all of them changed, mounted once or twice', () => {
  const file = `read: "${url('a')}"\nother: "${url('x', 'elsewhere:5432')}"\nwrite: "${url('b', 'postgres.nova:5432')}" # no more\n`;
  const volume = (name: string) => ({ name, secret: { secretName: 'files' } });
  for (const volumes of [[volume('one')], [volume('one'), volume('two')]]) {
    const { objects, edits } = changeOf(mounting('auth', volumes), sourcesOf({ files: { 'app.yaml': file } }));
    expect(objects.map(({ manifest }) => clear(manifest.data))).toEqual([
      {
        'app.yaml': `read: "${url('a', 'pgbouncer:6432')}"\nother: "${url('x', 'elsewhere:5432')}"\nwrite: "${url('b', 'pgbouncer:6432')}" # no more\n`,
      },
    ]);
    expect(edits).toHaveLength(volumes.length);
  }
});

test('an argument with several addresses is one edit, and none of their passwords stays in it', () => {
  const { edits, objects } = changeOf(
    mounting('auth', [], { args: ['serve', `exec app --read=${url('a')} --write=${url('b')} --log=json`] }),
  );
  expect(edits.filter(({ kind }) => kind === 'argument')).toMatchObject([
    { index: 1, after: 'exec app --read=$(PGB_DSN) --write=$(PGB_DSN_2) --log=json' },
  ]);
  expect(clear(objects[0]!.manifest.data)).toEqual({
    PGB_DSN: url('a', 'pgbouncer:6432'),
    PGB_DSN_2: url('b', 'pgbouncer:6432'),
  });
});

test('names stay names however long what they are made of is', () => {
  const long = `${'a'.repeat(109)}.${'b'.repeat(9)}.${'c'.repeat(120)}-${'d'.repeat(12)}`;
  expect(long).toHaveLength(253);
  for (const name of [ownedName(long, RUN), copyName(long, long, RUN)]) {
    expect(name.length).toBeLessThanOrEqual(253);
    expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  }
});

test('what a switch makes may be read again and cleaned up with the rights that are asked for', () => {
  const volumes = [
    { name: 'config', secret: { secretName: 'files' } },
    { name: 'more', configMap: { name: 'maps' } },
  ];
  const env = [
    { name: 'DATABASE_URL', value: url('literal') },
    { name: 'PLAIN', valueFrom: { configMapKeyRef: { name: 'maps', key: 'dsn' } } },
  ];
  const sources = sourcesOf({ files: { dsn: url('mounted') } }, { maps: { dsn: 'postgresql://u@postgres:5432/nova' } });
  const { objects } = changeOf(mounting('auth', volumes, { env }), sources);
  expect(objects).toHaveLength(4);
  const needs = neededAccess({
    namespace: 'nova',
    runId: RUN,
    workloads: [{ kind: 'Deployment', name: 'auth', step: 'p2.auth', secrets: ['files'], configMaps: ['maps'] }],
    secrets: [],
    userlist: { name: 'userlist', step: 'p1' },
    applies: [],
    jobs: [],
    serverMinor: 36,
    portForwardStep: 'p1',
    logStep: 'p2',
    cleanup: true,
  });
  for (const { ref } of objects) {
    const resource = ref.kind === 'Secret' ? 'secrets' : 'configmaps';
    const verbs = needs.filter((need) => need.resource === resource && need.name === ref.name).map((need) => need.verb);
    expect(verbs, `${ref.kind} ${ref.name}`).toEqual(expect.arrayContaining(['get', 'delete']));
  }
});
