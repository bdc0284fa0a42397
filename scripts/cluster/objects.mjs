// What the cluster tests put into their namespace: PostgreSQL and small services, all from one image that has PostgreSQL,
// PgBouncer and node. On a rehearsal cluster the same objects name images that are played there.
const base64 = (text) => Buffer.from(text, 'utf8').toString('base64');

// As root the image's own account `postgres` is used, because initdb wants a name for its user.
const POSTGRES = `set -e
PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin 2>/dev/null | tail -1)"
export PATH PGDATA=/tmp/pgdata
printf %s "$POSTGRES_PASSWORD" > /tmp/pw
cat > /tmp/start.sh <<'EOF'
initdb -D "$PGDATA" -U postgres -A scram-sha-256 --pwfile=/tmp/pw >/tmp/initdb.log 2>&1 || { cat /tmp/initdb.log; exit 1; }
echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
pg_ctl -D "$PGDATA" -w -o "-c listen_addresses= -c unix_socket_directories=/tmp" start >/dev/null
PGPASSWORD="$POSTGRES_PASSWORD" psql -h /tmp -U postgres -v ON_ERROR_STOP=1 -c "create role nova_user login password '$POSTGRES_PASSWORD'; grant pg_read_all_stats to nova_user" -c "create database nova owner nova_user" >/dev/null
pg_ctl -D "$PGDATA" -w stop >/dev/null
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=200
EOF
chmod 755 /tmp/start.sh; chmod 644 /tmp/pw
if [ "$(id -u)" = 0 ]; then exec su postgres -s /bin/sh -c "PATH='$PATH' PGDATA=$PGDATA POSTGRES_PASSWORD='$POSTGRES_PASSWORD' sh /tmp/start.sh"; fi
exec sh /tmp/start.sh
`;

// A service without a database driver: psql holds one connection and is asked once a second. It takes its address from
// wherever an application might: a whole one in a variable, an argument or a file, JDBC, key/value pairs, or in parts.
const APP = `
const { spawn } = require('node:child_process');
const env = process.env;
const argument = /postgresql:\\S+/.exec(process.argv.slice(2).join(' '))?.[0];
const file = env.CONFIG_FILE ? /url: *"?([^"\\s]+)/.exec(require('node:fs').readFileSync(env.CONFIG_FILE, 'utf8'))[1] : undefined;
let address = env.DATABASE_URL || argument || file;
if (env.SPRING_DATASOURCE_URL) {
  const { hostname, port, pathname } = new URL(env.SPRING_DATASOURCE_URL.replace('jdbc:postgresql:', 'http:'));
  env.PGPASSWORD = env.SPRING_DATASOURCE_PASSWORD;
  address = 'postgresql://' + env.SPRING_DATASOURCE_USERNAME + '@' + hostname + ':' + (port || 5432) + pathname;
}
if (env.ConnectionStrings__Default) {
  const pairs = Object.fromEntries(env.ConnectionStrings__Default.split(';').map((pair) => pair.split('=')));
  env.PGPASSWORD = pairs.Password;
  address = 'postgresql://' + pairs.Username + '@' + pairs.Host + ':' + pairs.Port + '/' + pairs.Database;
}
let answered = 0;
let failed = 0;
function connect() {
  const psql = spawn('psql', ['-XAtq', ...(address ? [address] : [])], { stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setInterval(() => psql.stdin.write('select 1;\\n'), 1000);
  psql.stdin.on('error', () => {});
  psql.stdin.write('select 1;\\n');
  psql.stdout.on('data', () => { answered = Date.now(); });
  psql.stderr.on('data', (text) => { failed++; console.log('ERROR ' + String(text).trim()); });
  psql.on('close', () => { clearInterval(timer); setTimeout(connect, 500); });
}
connect();
require('node:http').createServer((request, response) => {
  const healthy = Date.now() - answered < 5000;
  response.statusCode = healthy ? 200 : 503;
  response.end(JSON.stringify({ status: healthy ? 'healthy' : 'unhealthy', failed }));
}).listen(8080, () => console.log('INFO listening on 8080'));
process.on('SIGTERM', () => process.exit(0));
`;

export function clusterObjects({ namespace, image, password, rehearsal }) {
  const url = `postgresql://nova_user:${encodeURIComponent(password)}@postgres:5432/nova`;
  const meta = (name) => ({ name, namespace, labels: { app: name } });
  const secret = (name, data) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: meta(name),
    type: 'Opaque',
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)])),
  });
  const from = (name, secretName, key) => ({ name, valueFrom: { secretKeyRef: { name: secretName, key } } });
  const postgres = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta('postgres'),
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'postgres',
          image: rehearsal ? 'postgres:16' : image,
          ...(rehearsal ? {} : { command: ['sh', '-c', POSTGRES] }),
          ports: [{ name: 'postgres', containerPort: 5432 }],
          env: [
            { name: 'POSTGRES_USER', value: 'nova_user' },
            from('POSTGRES_PASSWORD', 'postgres-credentials', 'password'),
            { name: 'POSTGRES_DB', value: 'nova' },
          ],
          readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 },
        },
      ],
    },
  };
  const template = (name, env) => ({
    metadata: { labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'app',
          image: rehearsal ? 'shop/app:1.0.0' : image,
          ...(rehearsal ? {} : { command: ['node', '/app/app.js'] }),
          env,
          ports: [{ name: 'http', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1, timeoutSeconds: 2 },
          ...(rehearsal ? {} : { volumeMounts: [{ name: 'app', mountPath: '/app' }] }),
        },
      ],
      ...(rehearsal ? {} : { volumes: [{ name: 'app', configMap: { name: 'app' } }] }),
    },
  });
  const workload = (kind, name, env, spec = {}) => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: meta(name),
    spec: { selector: { matchLabels: { app: name } }, ...spec, template: template(name, env) },
  });
  const split = [
    { name: 'PGHOST', value: 'postgres' },
    { name: 'PGPORT', value: '5432' },
    { name: 'PGUSER', value: 'nova_user' },
    from('PGPASSWORD', 'postgres-credentials', 'password'),
    { name: 'PGDATABASE', value: 'nova' },
  ];
  const literal = [{ name: 'DATABASE_URL', value: url }];
  const spread = (name, env, change) => {
    const object = workload('Deployment', name, env, { replicas: 1 });
    const { spec } = object.spec.template;
    change(spec.containers[0], spec);
    return object;
  };
  const config = { 'application.yaml': `db:\n  # the main one\n  url: "${url}"\n  pool: 5\n` };
  const mounted = (volume, container, spec) => {
    container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'config', ...volume }];
    spec.volumes = [...(spec.volumes ?? []), { name: 'config', configMap: { name: 'mounted' } }];
  };
  const odd = [
    workload('Deployment', 'composed', [
      { name: 'H', value: 'postgres' },
      { name: 'N', value: '5432' },
      from('P', 'postgres-credentials', 'password'),
      { name: 'DATABASE_URL', value: 'postgresql://nova_user:$(P)@$(H):$(N)/nova' },
    ]),
    workload('Deployment', 'jdbc', [
      { name: 'SPRING_DATASOURCE_URL', value: 'jdbc:postgresql://postgres:5432/nova?prepareThreshold=0' },
      { name: 'SPRING_DATASOURCE_USERNAME', value: 'nova_user' },
      from('SPRING_DATASOURCE_PASSWORD', 'postgres-credentials', 'password'),
    ]),
    workload('Deployment', 'pairs', [
      {
        name: 'ConnectionStrings__Default',
        value: `Host=postgres;Port=5432;Database=nova;Username=nova_user;Password=${password}`,
      },
    ]),
    spread('envfrom', [], (container) => {
      container.envFrom = [{ prefix: 'DATABASE_', secretRef: { name: 'prefixed-db' } }];
    }),
    spread('argument', [], (container) => {
      if (rehearsal) container.args = [`--database=${url}`];
      else container.command.push(`--database=${url}`);
    }),
    spread('mounted', [{ name: 'CONFIG_FILE', value: '/config/application.yaml' }], (container, spec) =>
      mounted({ mountPath: '/config' }, container, spec),
    ),
    spread('subpath', [{ name: 'CONFIG_FILE', value: '/etc/app.yaml' }], (container, spec) =>
      mounted({ mountPath: '/etc/app.yaml', subPath: 'application.yaml' }, container, spec),
    ),
    spread('two-in-one', [], (container) => {
      const both = `--read=${url} --write=${url}`;
      if (rehearsal) container.args = [both];
      else container.command.push(both);
    }),
    // One Secret, which nobody may change, for two services: each mounts its own file.
    ...['left', 'right'].map((side) =>
      spread(`shared-${side}`, [{ name: 'CONFIG_FILE', value: '/config/app.yaml' }], (container, spec) => {
        const items = [{ key: `${side}.yaml`, path: 'app.yaml' }];
        container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'config', mountPath: '/config' }];
        spec.volumes = [...(spec.volumes ?? []), { name: 'config', secret: { secretName: 'shared', items } }];
      }),
    ),
    spread('projected', [{ name: 'CONFIG_FILE', value: '/config/right.yaml' }], (container, spec) => {
      const sources = [{ secret: { name: 'shared' } }, { configMap: { name: 'mounted' } }];
      container.volumeMounts = [...(container.volumeMounts ?? []), { name: 'config', mountPath: '/config' }];
      spec.volumes = [...(spec.volumes ?? []), { name: 'config', projected: { sources } }];
    }),
    spread('migrating', literal, (container, spec) => {
      const { readinessProbe: _, ports: _ports, ...init } = container;
      spec.initContainers = [
        {
          ...init,
          name: 'migrate',
          ...(rehearsal
            ? { image: 'shop/app-migrate:1.0.0' }
            : { command: ['sh', '-c', 'psql "$DATABASE_URL" -c "select pg_advisory_lock(1)"'] }),
        },
      ];
    }),
    workload('DaemonSet', 'everywhere', literal),
    workload('Deployment', 'at-zero', literal, { replicas: 0 }),
  ];
  const cron = template('nightly', literal);
  cron.spec.restartPolicy = 'Never';
  delete cron.spec.containers[0].readinessProbe;
  return [
    secret('postgres-credentials', { username: 'nova_user', password }),
    secret('keyed-db', { url }),
    secret('prefixed-db', { URL: url }),
    {
      ...secret('shared', { 'left.yaml': `url: "${url}"\nreplica: "${url}"\n`, 'right.yaml': `url: "${url}"\n` }),
      immutable: true,
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta('mounted'), data: config },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta('app'), data: { 'app.js': APP } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta('postgres'),
      spec: { selector: { app: 'postgres' }, ports: [{ name: 'postgres', port: 5432, targetPort: 'postgres' }] },
    },
    postgres,
    workload('Deployment', 'literal', literal, { replicas: 2 }),
    workload('Deployment', 'keyed', [from('DATABASE_URL', 'keyed-db', 'url')], { replicas: 1 }),
    workload('Deployment', 'split', split, { replicas: 1, strategy: { type: 'Recreate' } }),
    workload('Deployment', 'paused', literal, { replicas: 1, paused: true }),
    workload('StatefulSet', 'stateful', literal, { replicas: 2, serviceName: 'stateful' }),
    ...odd,
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: meta('nightly'),
      spec: { schedule: '0 4 1 1 *', jobTemplate: { spec: { template: cron } } },
    },
  ];
}

export const SERVICES = [
  { name: 'keyed', kind: 'Deployment', end: 'pooled' },
  { name: 'literal', kind: 'Deployment', end: 'pooled' },
  { name: 'split', kind: 'Deployment', end: 'pooled' },
  { name: 'stateful', kind: 'StatefulSet', end: 'pooled' },
  { name: 'nightly', kind: 'CronJob', end: 'pooled' },
  { name: 'composed', kind: 'Deployment', end: 'pooled' },
  { name: 'jdbc', kind: 'Deployment', end: 'pooled' },
  { name: 'pairs', kind: 'Deployment', end: 'pooled' },
  { name: 'envfrom', kind: 'Deployment', end: 'pooled' },
  { name: 'argument', kind: 'Deployment', end: 'pooled' },
  { name: 'mounted', kind: 'Deployment', end: 'pooled' },
  { name: 'subpath', kind: 'Deployment', end: 'pooled' },
  { name: 'two-in-one', kind: 'Deployment', end: 'pooled' },
  { name: 'shared-left', kind: 'Deployment', end: 'pooled' },
  { name: 'shared-right', kind: 'Deployment', end: 'pooled' },
  { name: 'projected', kind: 'Deployment', end: 'pooled' },
  { name: 'migrating', kind: 'Deployment', end: 'pooled' },
  { name: 'everywhere', kind: 'DaemonSet', end: 'pooled' },
  { name: 'at-zero', kind: 'Deployment', end: 'pooled' },
  { name: 'paused', kind: 'Deployment', end: 'direct' },
];
