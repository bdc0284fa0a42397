/**
 * The plan: which services move, in which order, against which limits. One zod schema is the truth for the types, the
 * checks of a plan file and the published JSON schema (`schema/plan.schema.json`). Defaults are the guide's; a default
 * that departs from it says why.
 *
 * Names of objects follow Kubernetes' rules, so that a plan can't smuggle options or markup into a command or a screen.
 */
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from './duration.ts';

const PLAN_API_VERSION = 'pgb-wizard/v1';

const dnsLabel = (what: string) =>
  z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, `${what} is lower-case letters, digits and dashes, at most 63`)
    .describe(what);
const objectName = (what: string) =>
  z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, `${what} is lower-case letters, digits, dashes and dots`)
    .describe(what);
const text = (what: string, longest: number) =>
  z
    .string()
    .min(1)
    .max(longest)
    .regex(/^[^\p{Cc}\p{Cf}\p{Cs}]*$/u, `${what} must be one line of printable text`)
    .describe(what);
const port = (what: string) => z.int().min(1).max(65_535).describe(what);
const count = (what: string, least: number, most: number) => z.int().min(least).max(most).describe(what);
const duration = (what: string) =>
  z
    .string()
    .regex(DURATION_PATTERN, 'a duration is written like 30s, 5m, 4h or 1h30m')
    .refine((value) => parseDuration(value) !== undefined || !DURATION_PATTERN.test(value), 'the duration is too long')
    .describe(`${what} (like 30s, 5m, 4h, 1h30m)`);
const variableName = (what: string) =>
  z
    .string()
    .max(253)
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, `${what} is not a name of an environment variable`)
    .describe(what);
const databaseName = (what: string) => text(what, 63);

/** Whether a plan can hold it as the name of a role or a database. */
export const isDatabaseName = (name: string): boolean => databaseName('name').safeParse(name).success;

const postgresSchema = z.strictObject({
  service: objectName('Service (or host) under which the services reach PostgreSQL now').default('postgres'),
  port: port('Port of PostgreSQL').default(5432),
  database: databaseName('Database the services use').default('nova'),
  role: databaseName('Role the services log in with').default('nova_user'),
  also: z
    .array(
      z.strictObject({
        role: databaseName('Another role that services log in with'),
        database: databaseName('Its database; the one above when left out').optional(),
      }),
    )
    .max(50)
    .describe('Further roles and databases of the same PostgreSQL that services use; the poolers serve them too')
    .optional(),
  pod: z
    .strictObject({
      name: objectName('Name of the pod that runs PostgreSQL').optional(),
      selector: text('Label selector of that pod, like app=postgres', 500).optional(),
    })
    .describe('Where PostgreSQL runs, when it is inside the cluster; found from the Service otherwise')
    .optional(),
  adminSecret: z
    .strictObject({
      name: objectName('Secret with a role that may read pg_stat_activity of all roles'),
      userKey: text('Key of the user name', 253).optional(),
      passwordKey: text('Key of the password', 253).default('password'),
      user: databaseName('The role, when no key holds it').optional(),
    })
    .optional(),
});

const poolerTlsSchema = z.strictObject({
  server: z
    .strictObject({
      mode: z
        .enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
        .describe('server_tls_sslmode: what the poolers ask of PostgreSQL'),
      ca: z
        .strictObject({
          name: objectName('Secret with the certificate authority of PostgreSQL'),
          key: text('Its key', 253).default('ca.crt'),
        })
        .optional(),
    })
    .describe('To PostgreSQL; prefer without a check of the certificate when left out')
    .optional(),
  client: z
    .strictObject({
      mode: z
        .enum(['allow', 'prefer', 'require'])
        .describe('client_tls_sslmode: require refuses clients that do not encrypt')
        .default('prefer'),
      secret: objectName('Secret of type kubernetes.io/tls with the certificate of the poolers'),
    })
    .describe('From the services; none without it')
    .optional(),
});

/** By these the wizard finds what it made. */
const OWN_LABELS: readonly string[] = ['app', 'app.kubernetes.io/name', 'app.kubernetes.io/managed-by'];
const metadataKey = z
  .string()
  .max(317)
  .regex(
    /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    'a key is like team or example.com/team',
  );

const poolerSchema = z.strictObject({
  name: dnsLabel('Name of the Deployment and the Service of the pooler').default('pgbouncer'),
  port: port('Port of the pooler').default(6432),
  replicas: count('Pooler pods', 1, 50).default(2),
  image: text('Image of PgBouncer', 500).optional(),
  exporterImage: text('Image of the Prometheus exporter', 500).optional(),
  imagePullSecrets: z
    .array(objectName('Secret of type kubernetes.io/dockerconfigjson'))
    .max(20)
    .describe("Secrets for the registry of the images, when the namespace's default service account has none")
    .default([]),
  labels: z
    .record(
      metadataKey.refine((key) => !OWN_LABELS.includes(key), 'this label is the wizard’s own'),
      z
        .string()
        .max(63)
        .regex(
          /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
          'a value is letters, digits, dashes, dots and underscores',
        ),
    )
    .describe(
      'Further labels of the pooler’s objects and pods and of the pgbench Job, as policies of a cluster may demand',
    )
    .optional(),
  annotations: z
    .record(metadataKey, text('Value of an annotation', 4000))
    .describe('Further annotations of the pooler’s objects and pods, for meshes and policies')
    .optional(),
  runAsUser: count(
    'User id the pooler runs as; any but 0 works, PgBouncer needs no entry in passwd',
    1,
    2_147_483_647,
  ).optional(),
  version: z
    .string()
    .regex(/^(auto|1\.\d{1,2}(\.\d{1,2})?)$/, 'version is auto, or like 1.24 or 1.24.1')
    .describe('Version of PgBouncer the configuration is written for; auto asks the image')
    .default('auto'),
  manifests: text("Folder of the operator's own manifests, applied instead of the wizard's", 4000).optional(),
  credentials: z
    .enum(['auto', 'plaintext', 'same-verifier', 'auth-query', 'alter-role'])
    .describe(
      'How PgBouncer gets what it logs in with: auto (or nothing) takes the clear password in the Secret; the others keep it out of it and need postgres.adminSecret',
    )
    .optional(),
  tls: poolerTlsSchema.optional(),
  userlistSecret: objectName('Secret that holds userlist.txt').default('pgbouncer-userlist'),
  adminUser: databaseName('Admin of the console').default('admin'),
  statsUser: databaseName('Reader of the console').default('stats_user'),
  poolSize: count(
    'Server connections a pool, per pooler pod; computed from live facts when left out',
    1,
    10_000,
  ).optional(),
  minPoolSize: count('Server connections kept open a pool, per pooler pod', 0, 10_000).optional(),
  reserve: count('Reserve connections a pool, per pooler pod', 0, 10_000).optional(),
  maxClientConn: count('Clients a pooler pod accepts', 1, 1_000_000).optional(),
  clientMaxLifetime: duration(
    "Longest life of a connection in the applications' pools; a pooler that ends waits for it, 60s when left out",
  ).optional(),
  prometheus: z
    .strictObject({
      namespace: dnsLabel('Namespace of Prometheus').default('monitoring'),
      service: objectName('Service of Prometheus').default('prometheus'),
      port: port('Port of Prometheus').default(9090),
      errorRate: text(
        'PromQL that answers the share of failed HTTP requests of the services, 0 to 1, like sum(rate(http_requests_total{namespace="nova",status=~"5.."}[1m])) / sum(rate(http_requests_total{namespace="nova"}[1m]))',
        2000,
      ).optional(),
    })
    .describe('A Prometheus as a second source for the gates (guide 3.2)')
    .optional(),
  networkPolicy: z.boolean().describe('Write a NetworkPolicy for the pooler').default(true),
  serviceMonitor: z.boolean().describe("Write a ServiceMonitor (needs the Prometheus operator's types)").default(false),
});

// The guide asks :8000/health of every service. A service elsewhere may have another endpoint, or none: what the plan
// leaves out is taken from the readiness probe of its pods (steps/health-target.ts).
const healthSchema = z.strictObject({
  enabled: z
    .boolean()
    .describe('false: the service has no health endpoint; the readiness of its pods counts')
    .default(true),
  port: port("Port of the health endpoint in the pod; the readiness probe's when left out").optional(),
  path: z
    .string()
    .regex(/^\/[\x21-\x7e]*$/, 'path starts with / and has no spaces')
    .max(500)
    .describe("Path of the health endpoint; the readiness probe's when left out")
    .optional(),
  loadBalancer: z
    .boolean()
    .describe('Also ask through the load balancer of the Service of the same name (guide 4.4)')
    .default(false),
});

const serviceSchema = z.strictObject({
  name: objectName('Name of the workload'),
  kind: z.enum(['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob', 'Rollout']).default('Deployment'),
  env: variableName('Variable with the address, when it is not the one of the plan').optional(),
  container: dnsLabel('Container that uses it; every container that has the variable when left out').optional(),
  replicas: count('Replicas the author of the plan expects, a note', 0, 10_000).optional(),
  traffic: z.enum(['lowest', 'low', 'medium', 'high', 'highest', 'critical']).optional(),
  rolloutTimeout: duration('Limit of the rollout').default('5m'),
  health: healthSchema.prefault({}),
  onDemand: z
    .boolean()
    .describe(
      'It connects only when it is used: that none of its clients was seen on the pooler after the switch is waived with that reason, instead of asked about',
    )
    .optional(),
  batch: dnsLabel('Name of the batch it moves in').optional(),
  skip: text('Why this service is not moved; it stays in the plan and in the record', 300).optional(),
});

const phaseSchema = z.strictObject({
  id: z
    .string()
    .regex(/^p[2-4]$/, 'id is p2, p3 or p4 (p1 and p5 deploy and verify)')
    .describe("The guide's phase: p2 pilot, p3 core, p4 critical services"),
  title: text('Title of the phase', 80),
  soak: duration('How long to watch before the decision after the phase; no decision when left out').optional(),
  services: z.array(serviceSchema).min(1).max(1000).describe('In the order in which they move'),
  batches: z
    .array(
      z.strictObject({
        name: dnsLabel('Name of the batch'),
        parallelism: count('How many services move at the same time', 1, 50).default(1),
      }),
    )
    .describe('Services of a batch stand next to each other and move together')
    .default([]),
});

const gatesSchema = z.strictObject({
  clientsWaiting: count('More waiting clients than this fail (guide 3.2)', 0, 1_000_000).default(0),
  serversActive: count(
    'More active server connections than this, over all pooler pods, fail (guide 3.2)',
    0,
    1_000_000,
  ).default(40),
  queryTimeMs: z.number().positive().describe('An average query time above this fails (guide 3.2)').default(5000),
  maxWaitMs: z.number().nonnegative().describe('A client that waits longer than this fails').default(1000),
  responseTimeWithin: z
    .number()
    .nonnegative()
    .describe('Percent that response times may be above the recorded baseline (guide, checklist)')
    .default(10),
  errorRate: z
    .number()
    .min(0)
    .max(100)
    .describe('Percent of failed requests that is still normal (guide, checklist)')
    .default(0),
  pgConnectionsWithin: count(
    "Connections that PostgreSQL's count may differ from the computed number (guide 4.2)",
    0,
    100_000,
  ).default(2),
  consecutive: count('Measurements in a row that must fail before a gate fails', 1, 100).default(3),
});

const planBody = z.strictObject({
  apiVersion: z.literal(PLAN_API_VERSION),
  kind: z.literal('MigrationPlan'),
  name: dnsLabel('Name of the plan'),
  namespace: dnsLabel('Namespace of the services').default('nova'),
  postgres: postgresSchema.prefault({}),
  pooler: poolerSchema.prefault({}),
  env: variableName("Variable that holds the services' database address").default('DATABASE_URL'),
  phases: z.array(phaseSchema).min(1).max(3),
  observe: z
    .strictObject({
      every: duration('Time between two looks at the pools after a switch').default('30s'),
      for: duration('How long the pools are watched after a switch').default('5m'),
    })
    .prefault({}),
  gates: gatesSchema.prefault({}),
  baseline: z
    .strictObject({
      enabled: z.boolean().default(true),
      seconds: count('Length of one measurement', 1, 3600).default(20),
      clients: count('Concurrent clients', 1, 1000).default(10),
      image: text('Image with pgbench', 500).optional(),
    })
    .describe("Guide 5.2; short and read-only, because the guide's pgbench -t 10000 writes a million transactions")
    .prefault({}),
  window: z
    .strictObject({ start: z.iso.datetime({ offset: true }), end: z.iso.datetime({ offset: true }) })
    .describe('The change window, RFC 3339; no mutation starts outside of it but the way back')
    .optional(),
  change: z
    .strictObject({
      number: text('Number of the change', 60).optional(),
      title: text('Title of the change', 160).optional(),
    })
    .optional(),
});

export const planSchema = planBody.superRefine(checkWhole);

export type Plan = z.output<typeof planSchema>;
export type PlanInput = z.input<typeof planSchema>;
export type PlanPhase = Plan['phases'][number];
export type PlanService = PlanPhase['services'][number];
export type PlanGates = Plan['gates'];

/** What no single field can tell: duplicates, the order of phases, batches that exist and stand together, the window. */
function checkWhole(plan: z.output<typeof planBody>, context: z.RefinementCtx): void {
  const say = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  const seen = new Map<string, string>();
  let before = '';
  plan.phases.forEach((phase, p) => {
    if (phase.id <= before) say(['phases', p, 'id'], `phase ${phase.id} must come after ${before}, once`);
    before = phase.id;
    const finished = new Set<string>();
    let batchBefore: string | undefined;
    const batches = new Set(phase.batches.map((batch) => batch.name));
    if (batches.size < phase.batches.length) say(['phases', p, 'batches'], 'two batches have the same name');
    phase.services.forEach((service, s) => {
      const path = ['phases', p, 'services', s];
      const twin = seen.get(service.name);
      if (twin) say([...path, 'name'], `service ${service.name} is listed twice (already in ${twin})`);
      seen.set(service.name, phase.id);
      if (service.batch !== batchBefore && batchBefore !== undefined) finished.add(batchBefore);
      if (service.batch !== undefined) {
        if (!batches.has(service.batch))
          say([...path, 'batch'], `batch ${service.batch} is not in the phase's batches`);
        else if (finished.has(service.batch))
          say([...path, 'batch'], `services of batch ${service.batch} do not stand next to each other`);
      }
      batchBefore = service.batch;
    });
  });
  const logins = new Set([`${plan.postgres.role}\0${plan.postgres.database}`]);
  plan.postgres.also?.forEach(({ role, database }, index) => {
    const key = `${role}\0${database ?? plan.postgres.database}`;
    if (logins.has(key)) say(['postgres', 'also', index], `${role} is listed twice for that database`);
    logins.add(key);
  });
  const { mode, ca } = plan.pooler.tls?.server ?? {};
  if (mode?.startsWith('verify-') && !ca)
    say(['pooler', 'tls', 'server', 'ca'], `${mode} needs the certificate authority to verify with`);
  if (plan.pooler.tls && plan.pooler.manifests !== undefined)
    say(['pooler', 'tls'], 'with pooler.manifests TLS is what those manifests say');
  if (parseDuration(plan.observe.every) === 0) say(['observe', 'every'], 'must be longer than 0s');
  if (plan.window && Date.parse(plan.window.end) <= Date.parse(plan.window.start)) {
    say(['window', 'end'], 'the change window ends before it starts');
  }
}
