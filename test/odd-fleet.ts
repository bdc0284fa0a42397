/**
 * A fleet with one workload for each way to hold the database's address, and one for each odd state. Objects as an
 * operator would write them; every name says what is special about it.
 */
import type { Json, KubeObject } from '../src/rehearsal/contract.ts';

export interface OddWorkload {
  readonly name: string;
  readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'CronJob';
  /** What the run has to do with it. */
  readonly end: 'pooled' | { readonly leftOut: RegExp /** Known only when a pooler runs. */; readonly late?: boolean };
  /** Words of the evidence or of a message about it, when it moves. */
  readonly note?: RegExp;
}

const PORT = 8080;
const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');

export class OddFleet {
  readonly workloads: OddWorkload[] = [];
  readonly objects: { resource: string; object: KubeObject }[] = [];
  readonly #password: string;
  readonly #namespace: string;

  constructor(password: string, namespace = 'nova') {
    this.#password = password;
    this.#namespace = namespace;
    this.#sources();
    this.#kinds();
    this.#odd();
    this.#refused();
  }

  url(host = 'postgres:5432', more: { user?: string; database?: string; query?: string } = {}): string {
    return `postgresql://${more.user ?? 'nova_user'}:${encodeURIComponent(this.#password)}@${host}/${more.database ?? 'nova'}${more.query ?? ''}`;
  }

  #add(resource: string, object: Json): void {
    object.metadata.namespace = this.#namespace;
    this.objects.push({ resource, object });
  }

  #secret(name: string, data: Record<string, string>): void {
    const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)]));
    this.#add('secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'Opaque', data: encoded });
  }

  #configMap(name: string, data: Record<string, string>): void {
    this.#add('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
  }

  app(container: Json = {}): Json {
    return {
      name: 'app',
      image: 'shop/app:1.0.0',
      ports: [{ name: 'web', containerPort: PORT }],
      readinessProbe: { httpGet: { path: '/health', port: 'web' }, periodSeconds: 1, timeoutSeconds: 2 },
      ...container,
    };
  }

  literal(value = this.url()): Json {
    return this.app({ env: [{ name: 'DATABASE_URL', value }] });
  }

  workload(what: OddWorkload, containers: Json[], more: { pod?: Json; spec?: Json; metadata?: Json } = {}): void {
    const { name, kind } = what;
    this.workloads.push(what);
    const labels = { app: name };
    const template = {
      metadata: { labels },
      spec: { terminationGracePeriodSeconds: 5, containers, ...more.pod },
    };
    const metadata = { name, labels, ...more.metadata };
    if (kind === 'CronJob') {
      template.spec.restartPolicy = 'Never';
      this.#add('cronjobs.batch', {
        apiVersion: 'batch/v1',
        kind,
        metadata,
        spec: { schedule: '0 4 1 1 *', ...more.spec, jobTemplate: { spec: { template } } },
      });
      return;
    }
    const resource = { Deployment: 'deployments.apps', StatefulSet: 'statefulsets.apps', DaemonSet: 'daemonsets.apps' };
    const selector = { matchLabels: labels };
    const spec: Json = { selector, ...more.spec, template };
    if (kind === 'StatefulSet') spec.serviceName = name;
    if (kind !== 'DaemonSet') spec.replicas ??= 1;
    this.#add(resource[kind], { apiVersion: 'apps/v1', kind, metadata, spec });
  }

  #deployment(name: string, containers: Json[], more: Parameters<OddFleet['workload']>[2] = {}, note?: RegExp): void {
    this.workload({ name, kind: 'Deployment', end: 'pooled', ...(note ? { note } : {}) }, containers, more);
  }

  /** Every kind of source. */
  #sources(): void {
    const password = this.#password;
    this.#deployment('literal', [this.literal()]);
    this.#deployment('fqdn', [
      this.literal(this.url('postgres.nova.svc.cluster.local:5432', { query: '?application_name=fqdn' })),
    ]);
    this.#deployment('no-port', [this.literal(this.url('postgres'))]);
    this.#secret('composed-db', { user: 'nova_user', pass: encodeURIComponent(password) });
    const key = (name: string, secret: string, from: string) => ({
      name,
      valueFrom: { secretKeyRef: { name: secret, key: from } },
    });
    this.#deployment('composed', [
      this.app({
        env: [
          key('DB_LOGIN', 'composed-db', 'user'),
          key('DB_SECRET', 'composed-db', 'pass'),
          { name: 'DATABASE_URL', value: 'postgresql://$(DB_LOGIN):$(DB_SECRET)@postgres:5432/nova' },
        ],
      }),
    ]);
    this.#secret('split-db', { password });
    this.#deployment('split', [
      this.app({
        env: [
          { name: 'DB_HOST', value: 'postgres' },
          { name: 'DB_PORT', value: '5432' },
          { name: 'DB_USER', value: 'nova_user' },
          key('DB_PASSWORD', 'split-db', 'password'),
          { name: 'DB_NAME', value: 'nova' },
        ],
      }),
    ]);
    this.#deployment('libpq-vars', [
      this.app({
        env: [
          { name: 'PGHOST', value: 'postgres' },
          { name: 'PGUSER', value: 'nova_user' },
          key('PGPASSWORD', 'split-db', 'password'),
          { name: 'PGDATABASE', value: 'nova' },
        ],
      }),
    ]);
    this.#deployment('jdbc', [
      this.app({
        env: [
          { name: 'SPRING_DATASOURCE_URL', value: 'jdbc:postgresql://postgres:5432/nova?prepareThreshold=0' },
          { name: 'SPRING_DATASOURCE_USERNAME', value: 'nova_user' },
          key('SPRING_DATASOURCE_PASSWORD', 'split-db', 'password'),
        ],
      }),
    ]);
    this.#deployment('libpq-text', [
      this.app({
        env: [{ name: 'DB_DSN', value: `host=postgres port=5432 dbname=nova user=nova_user password='${password}'` }],
      }),
    ]);
    this.#secret('secret-key', { url: this.url(), other: 'untouched' });
    this.#deployment('secret-key', [this.app({ env: [key('DATABASE_URL', 'secret-key', 'url')] })]);
    this.#configMap('config-key', { url: 'postgresql://nova_user@postgres:5432/nova', mode: 'fast' });
    this.#deployment('config-key', [
      this.app({
        env: [
          { name: 'DATABASE_URL', valueFrom: { configMapKeyRef: { name: 'config-key', key: 'url' } } },
          key('PGPASSWORD', 'split-db', 'password'),
        ],
      }),
    ]);
    this.#secret('env-from', { DATABASE_URL: this.url(), LOG_LEVEL: 'info' });
    this.#deployment('env-from', [this.app({ envFrom: [{ secretRef: { name: 'env-from' } }] })]);
    this.#deployment('env-from-prefix', [this.app({ envFrom: [{ prefix: 'APP_', secretRef: { name: 'env-from' } }] })]);
    this.#deployment('argument', [this.app({ args: ['--listen=:8080', `--database=${this.url()}`] })]);
    this.#secret('mounted', { 'app.yaml': `server: { port: 8080 }\ndatabase:\n  url: "${this.url()}"\n` });
    this.#deployment('mounted-file', [this.app({ volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] })], {
      pod: { volumes: [{ name: 'config', secret: { secretName: 'mounted' } }] },
    });
    // Host and port as settings of their own, in what applications read: YAML, JSON, TOML, dotenv, flags.
    const files: Record<string, string> = {
      'settings.yaml': `http:\n  port: ${PORT}\ndb:\n  host: postgres # the one\n  port: 5432\n  user: nova_user\n  name: nova\n`,
      'settings.json': '{"db": {"host": "postgres", "port": 5432, "user": "nova_user", "database": "nova"}}',
      'settings.toml': '[db]\nhost = "postgres"\nport = 5432\nuser = "nova_user"\nname = "nova"\n',
      '.env': 'export DB_HOST=postgres\nDB_PORT=5432\nDB_USER=nova_user\nDB_NAME=nova\n',
    };
    for (const [file, text] of Object.entries(files)) {
      const name = `in-${file.split('.')[1]}`;
      this.#configMap(name, { [file]: text });
      const env = [key('DB_PASSWORD', 'split-db', 'password')];
      this.#deployment(name, [this.app({ env, volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] })], {
        pod: { volumes: [{ name: 'config', configMap: { name } }] },
      });
    }
    const pairs = `Host=postgres;Port=5432;Database=nova;Username=nova_user;Password=${password}`;
    this.#secret('appsettings', { 'appsettings.json': JSON.stringify({ ConnectionStrings: { Default: pairs } }) });
    this.#deployment('pairs-in-json', [this.app({ volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] })], {
      pod: { volumes: [{ name: 'config', secret: { secretName: 'appsettings' } }] },
    });
    this.#deployment('flags', [
      this.app({
        env: [key('DB_PASSWORD', 'split-db', 'password')],
        args: ['serve', '--db-host', 'postgres', '--db-port=5432', '--db-user=nova_user', '--db-name=nova'],
      }),
    ]);
    this.#deployment('settings-of-the-server', [
      this.app({
        env: [
          {
            name: 'DSN',
            value: `host=postgres user=nova_user password=${password} dbname=nova port=5432 sslmode=disable TimeZone=UTC`,
          },
        ],
      }),
    ]);
    this.#deployment('two-in-one', [this.app({ args: [`--read=${this.url()} --write=${this.url()}`] })]);
    // One Secret for two services: each mounts its own file, of which one holds two addresses.
    this.#secret('shared', {
      'left.yaml': `read: "${this.url()}"\nwrite: "${this.url('postgres.nova:5432')}"\n`,
      'right.yaml': `database: "${this.url()}"\n`,
    });
    for (const side of ['left', 'right']) {
      const secret = { secretName: 'shared', items: [{ key: `${side}.yaml`, path: 'app.yaml' }] };
      this.#deployment(`shared-${side}`, [this.app({ volumeMounts: [{ name: 'config', mountPath: '/etc/app' }] })], {
        pod: { volumes: [{ name: 'config', secret }] },
      });
    }
    this.#deployment(
      'with-migration',
      [this.literal()],
      {
        pod: {
          initContainers: [
            { name: 'migrate', image: 'shop/app-migrate:1.0.0', env: [{ name: 'DATABASE_URL', value: this.url() }] },
          ],
        },
      },
      /init container migrate stays direct/,
    );
    this.#deployment('with-sidecar', [
      this.literal(),
      this.app({
        name: 'worker',
        ports: [{ containerPort: 8081 }],
        readinessProbe: undefined,
        env: [{ name: 'DATABASE_URL', value: this.url() }],
      }),
      this.app({
        name: 'metrics',
        ports: [{ containerPort: 9100 }],
        readinessProbe: undefined,
        env: [{ name: 'MODE', value: 'metrics' }],
      }),
    ]);
  }

  #kinds(): void {
    this.workload({ name: 'stateful', kind: 'StatefulSet', end: 'pooled' }, [this.literal()], {
      spec: { replicas: 2 },
    });
    this.workload({ name: 'daemon', kind: 'DaemonSet', end: 'pooled' }, [this.literal()]);
    this.workload({ name: 'nightly', kind: 'CronJob', end: 'pooled', note: /next Job/ }, [
      this.app({ env: [{ name: 'DATABASE_URL', value: this.url() }], readinessProbe: undefined }),
    ]);
  }

  #odd(): void {
    this.#deployment('recreate', [this.literal()], { spec: { strategy: { type: 'Recreate' } } }, /Recreate/);
    this.#deployment('no-history', [this.literal()], { spec: { revisionHistoryLimit: 0 } });
    this.#deployment('zero', [this.literal()], { spec: { replicas: 0 } }, /no replicas/);
    this.#deployment(
      'helm-made',
      [this.literal()],
      {
        metadata: {
          labels: { app: 'helm-made', 'app.kubernetes.io/managed-by': 'Helm' },
          annotations: { 'meta.helm.sh/release-name': 'helm-made', 'meta.helm.sh/release-namespace': 'nova' },
        },
      },
      /helm upgrade/,
    );
    this.#deployment('scaled', [this.literal()], { spec: { replicas: 2 } }, /HorizontalPodAutoscaler/);
    this.#add('horizontalpodautoscalers.autoscaling', {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'scaled' },
      spec: {
        minReplicas: 1,
        maxReplicas: 4,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'scaled' },
      },
    });
    const manner = (how: string) =>
      this.app({
        env: [
          { name: 'DATABASE_URL', value: this.url() },
          { name: 'DATABASE_CONNECT', value: how },
        ],
      });
    this.#deployment('on-demand', [manner('on-demand')], {}, /on-demand: no client yet: it may open its first/);
    this.#deployment('lazy-by-plan', [manner('on-demand')], {}, /lazy-by-plan: no client yet: it may open its first/);
    this.#deployment('brief', [manner('briefly')]);
    const quiet = this.literal();
    delete quiet.readinessProbe;
    this.#deployment('no-probe', [quiet], {}, /[Nn]o readiness probe/);
  }

  #refused(): void {
    const out = (name: string, leftOut: RegExp, containers: Json[], more: Parameters<OddFleet['workload']>[2] = {}) =>
      this.workload({ name, kind: 'Deployment', end: { leftOut } }, containers, more);
    out('paused', /paused/, [this.literal()], { spec: { paused: true } });
    out('argo-made', /Argo CD/, [this.literal()], {
      metadata: {
        labels: { app: 'argo-made' },
        annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:nova/argo-made' },
      },
    });
    out('flux-made', /Flux/, [this.literal()], {
      metadata: {
        labels: {
          app: 'flux-made',
          'kustomize.toolkit.fluxcd.io/name': 'shop',
          'kustomize.toolkit.fluxcd.io/namespace': 'flux-system',
        },
      },
    });
    out('other-role', /logs in as reporting/, [this.literal(this.url(undefined, { user: 'reporting' }))], {
      spec: { replicas: 0 },
    });
    out('other-database', /database billing/, [this.literal(this.url(undefined, { database: 'billing' }))], {
      spec: { replicas: 0 },
    });
    out('needs-tls', /demands TLS/, [this.literal(this.url(undefined, { query: '?sslmode=require' }))], {
      spec: { replicas: 0 },
    });
    out(
      'search-path',
      /start-up parameter/,
      [this.literal(this.url(undefined, { query: '?options=-csearch_path%3Dshop' }))],
      {
        spec: { replicas: 0 },
      },
    );
    out('without-database', /takes the address/, [this.app({ env: [{ name: 'MODE', value: 'static' }] })]);
    out('stuck', /not healthy before/, [
      this.app({ image: 'shop/does-not-exist:2', env: [{ name: 'DATABASE_URL', value: this.url() }] }),
    ]);
    this.workload(
      {
        name: 'jdbc-prepares',
        kind: 'Deployment',
        end: { leftOut: /prepared statements, which PgBouncer/, late: true },
      },
      [
        this.app({
          env: [
            {
              name: 'JDBC_URL',
              value: `jdbc:postgresql://postgres:5432/nova?user=nova_user&password=${encodeURIComponent(this.#password)}`,
            },
          ],
        }),
      ],
    );
    out('named-by-plan', /kept by its owners/, [this.literal()]);
  }
}
