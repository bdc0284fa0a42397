/** Files and arguments: what is found, and what a switch makes of it. */
import { expect, test } from 'vitest';
import { scanTemplate } from './scan.ts';
import type { ReadSources } from './sources.ts';
import { planEdits } from './switch-plan.ts';
import { resolveTarget } from './target.ts';
import type { Json, KubeObject } from './types.ts';

const target = resolveTarget({ service: 'postgres', port: 5432 }, 'nova', [], [], {});
const to = { host: 'pgbouncer', port: 6432 };

/** A Deployment that mounts one ConfigMap, and what reads it. */
function fleet(data: Record<string, string>, container: Json = {}) {
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'nova' }, data };
  const mount = { name: 'conf', mountPath: '/etc/app' };
  const live = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', namespace: 'nova', uid: 'u', generation: 1 },
    spec: {
      template: {
        spec: {
          containers: [{ name: 'app', image: 'x', volumeMounts: [mount], ...container }],
          volumes: [{ name: 'conf', configMap: { name: 'settings' } }],
        },
      },
    },
  } as unknown as KubeObject;
  const sources = {
    secret: () => undefined,
    configMap: (name: string) => (name === 'settings' ? data : undefined),
    object: (_kind: string, name: string) => (name === 'settings' ? (map as unknown as KubeObject) : undefined),
    serviceLinks: {},
    unreadable: [],
  } as unknown as ReadSources;
  return { live, sources, sites: scanTemplate(live, sources, target).sites };
}

/** The file `name` after the switch, or why there is none. */
function switched(name: string, text: string): string {
  const { live, sources, sites } = fleet({ [name]: text, other: 'postgres:5432 untouched' });
  expect(sites.length).toBeGreaterThan(0);
  const plan = planEdits(live, sites, sources, target, to, 'abcdefgh');
  if (!plan.ok) return plan.error.message;
  expect(plan.value.objects).toHaveLength(1);
  expect(plan.value.objects[0]!.manifest.data.other).toBe('postgres:5432 untouched');
  return plan.value.objects[0]!.manifest.data[name];
}

test.each([
  ['app.yaml', 'db:\n  host: postgres # main\n  port: 5432\n  name: nova\ncache: {host: redis, port: 6379}\n'],
  ['app.json', '{"db":{"host":"postgres","port":5432,"password":"hunter2x"}}'],
  ['app.toml', '[database]\nhost = "postgres"\nport = 5432\n'],
  ['app.properties', 'db.host=postgres\ndb.port=5432\nserver.port=8080\n'],
  ['.env', "export DB_HOST='postgres'\nexport DB_PORT=5432\n"],
  ['hostport.yaml', 'db:\n  addr: postgres:5432\n'],
  ['appsettings.json', '{"ConnectionStrings":{"Default":"Host=postgres;Port=5432;Database=nova;Password=hunter2x"}}'],
  ['dsn.yaml', 'dsn: host=postgres user=u dbname=nova port=5432 TimeZone=UTC\n'],
  ['mixed.yaml', 'url: postgresql://u:p@postgres:5432/nova\nread:\n  host: postgres.nova.svc\n  port: "5432"\n'],
])('in %s only the host and the port change', (name, text) => {
  const wanted = text
    .replaceAll('postgres.nova.svc', 'postgres')
    .replace(/\bpostgres(?!ql)\b/g, 'pgbouncer')
    .replaceAll('5432', '6432');
  expect(switched(name, text)).toBe(wanted);
});

test('a host without a port is found, and refused with what to do', () => {
  expect(switched('app.yaml', 'db:\n  host: postgres\n')).toBe(
    'conf/app.yaml:db.host of container app cannot be switched: no port is written beside it, and the pooler listens on 6432',
  );
});

test('other hosts, other ports, and words that only look alike are no addresses', () => {
  const texts = [
    'db:\n  host: postgres-ro\n  port: 5432\n',
    'db:\n  host: postgres\n  port: 3306\n',
    'db:\n  type: postgres\n  user: postgres\n',
    'labels: {app: postgres}\n',
    'server pg1 postgres:5432 check\n',
  ];
  for (const text of texts) expect(fleet({ 'app.yaml': text }).sites).toEqual([]);
});

test('who logs in where stands beside the host', () => {
  const [site] = fleet({
    'app.yaml': 'db: {host: postgres, port: 5432, user: nova_user, password: hunter2x, name: nova, sslmode: require}\n',
  }).sites;
  expect(site).toMatchObject({
    source: 'file',
    form: 'split',
    name: 'conf/app.yaml:db.host',
    host: 'postgres',
    portNumber: 5432,
    login: { user: 'nova_user', database: 'nova' },
    beside: { sslmode: 'require' },
  });
  expect(site!.login!.password!.reveal()).toBe('hunter2x');
});

test('flags of a command: with an equals sign and without', () => {
  const args = ['serve', '--db-host', 'postgres', '--db-port=5432', '--db-user', 'nova_user', '--port', '8080'];
  const { live, sources, sites } = fleet({}, { args });
  expect(sites.map((site) => [site.name, site.port?.name, site.login?.user])).toEqual([
    ['--db-host', '--db-port', 'nova_user'],
  ]);
  const plan = planEdits(live, sites, sources, target, to, 'abcdefgh');
  expect(plan.ok && plan.value.edits.map((edit) => [edit.kind, 'index' in edit && edit.index, edit.after])).toEqual([
    ['argument', 2, 'pgbouncer'],
    ['argument', 3, '--db-port=6432'],
  ]);
});

test('a flag with host and port in one, and one that has no port', () => {
  const one = fleet({}, { command: ['app', '-dbaddr=postgres:5432'] });
  const plan = planEdits(one.live, one.sites, one.sources, target, to, 'abcdefgh');
  expect(plan.ok && plan.value.edits.map((edit) => edit.after)).toEqual(['-dbaddr=pgbouncer:6432']);
  const other = fleet({}, { args: ['--host=postgres'] });
  const refused = planEdits(other.live, other.sites, other.sources, target, to, 'abcdefgh');
  expect(!refused.ok && refused.error.message).toContain('--host of container app cannot be switched: no port');
});
