/**
 * The operator's own manifests against the plan: what the wizard will ask of the pooler has to be what they bring. Found
 * before anything is written, because afterwards each of these looks like a pooler that is down.
 */
import { portInPod, targetPortOf } from '../kube/service-ports.ts';
import type { KubeJson, KubeObject } from './config-types.ts';
import { type ParsedIni, parseIni } from './ini-parse.ts';
import type { Finding, PgBouncerVersion } from './types.ts';
import { versionOfImage } from './version.ts';

export interface OwnPooler {
  readonly workload: { readonly kind: string; readonly name: string };
  readonly replicas: number;
  /** Pods above `replicas` during a roll. */
  readonly surge: number;
  readonly version?: PgBouncerVersion;
  readonly ini?: ParsedIni;
  /** `auth_type=hba`: what makes a forced user safe. */
  readonly hba: boolean;
}

/** What the plan and the run expect of the pooler. */
export interface Expected {
  readonly service: string;
  readonly port: number;
  readonly replicas: number;
  readonly userlistSecret: string;
  readonly adminUser: string;
  readonly statsUser: string;
  readonly logins: readonly { readonly role: string; readonly database: string }[];
}

const list = (value: KubeJson): KubeJson[] => (Array.isArray(value) ? value : []);
const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

export const isPooler = (container: KubeJson): boolean =>
  (/pgbouncer/i.test(String(container.image)) && !/exporter/i.test(String(container.image))) ||
  /^pgbouncer$/i.test(String(container.name));

const findWorkload = (objects: readonly KubeObject[]): KubeObject | undefined =>
  objects.find((object) => WORKLOADS.has(object.kind) && list(object.spec?.template?.spec?.containers).some(isPooler));

/** Undefined when no workload with a PgBouncer is among the objects (checkManifests says so). */
export function readOwnPooler(objects: readonly KubeObject[]): OwnPooler | undefined {
  const workload = findWorkload(objects);
  if (!workload) return undefined;
  const container = list(workload.spec.template.spec.containers).find(isPooler);
  const ini = iniOf(objects);
  const version = versionOfImage(String(container.image ?? ''));
  const replicas = Number(workload.spec.replicas ?? 1);
  const surge = workload.spec.strategy?.rollingUpdate?.maxSurge ?? '25%';
  return {
    workload: { kind: workload.kind, name: workload.metadata.name },
    replicas,
    surge: /%$/.test(String(surge)) ? Math.ceil((replicas * Number.parseInt(String(surge), 10)) / 100) : Number(surge),
    ...(version ? { version } : {}),
    ...(ini ? { ini } : {}),
    hba: ini?.settings.get('auth_type') === 'hba',
  };
}

function iniOf(objects: readonly KubeObject[]): ParsedIni | undefined {
  for (const object of objects.filter((each) => each.kind === 'ConfigMap' || each.kind === 'Secret')) {
    const plain = Object.entries((object.data ?? {}) as Record<string, string>).map(
      ([file, text]) => [file, object.kind === 'Secret' ? Buffer.from(text, 'base64').toString('utf8') : text] as const,
    );
    const all = [...plain, ...Object.entries((object.stringData ?? {}) as Record<string, string>)];
    const found = all.find(([file, text]) => /\.ini$/.test(file) && /^\s*\[databases\]/im.test(text));
    if (found) return parseIni(found[1]);
  }
  return undefined;
}

/** The `[databases]` entry that serves a database: its own, else the one for all others. */
export const entryFor = (ini: ParsedIni, database: string): ReadonlyMap<string, string> | undefined =>
  ini.databases.get(database) ?? ini.databases.get('*');

/** Sizes of the pools of one database as this file gives them; PgBouncer's defaults where it says nothing. */
export function poolSizes(ini: ParsedIni, database: string) {
  const entry = entryFor(ini, database);
  const number = (own: string, shared: string, initially: number): number =>
    Number(entry?.get(own) ?? ini.settings.get(shared) ?? initially);
  const most = number('max_db_connections', 'max_db_connections', 0);
  return {
    poolSize: number('pool_size', 'default_pool_size', 20),
    minPoolSize: number('min_pool_size', 'min_pool_size', 0),
    reservePool: Number(
      entry?.get('reserve_pool_size') ?? entry?.get('reserve_pool') ?? ini.settings.get('reserve_pool_size') ?? 0,
    ),
    maxClientConn: Number(ini.settings.get('max_client_conn') ?? 100),
    ...(most > 0 ? { maxDbConnections: most } : {}),
  };
}

/** Findings about manifests that can't work with this plan; each of them blocks but for what only the exporter needs. */
export function checkAgainstPlan(objects: readonly KubeObject[], expected: Expected): Finding[] {
  const findings: Finding[] = [];
  const add = (id: string, title: string, detail: string, fix: string, severity: Finding['severity'] = 'block') =>
    findings.push({ id, severity, title, detail, fix });
  const workload = findWorkload(objects);
  if (!workload) return findings;
  const { template } = workload.spec;
  const container = list(template.spec.containers).find(isPooler);
  const ini = iniOf(objects);

  if (workload.kind !== 'Deployment')
    add(
      'own-kind',
      `The pooler is a ${workload.kind}`,
      workload.metadata.name,
      'Make it a Deployment: a roll has to bring the successor before it takes a pooler away',
    );
  const replicas = Number(workload.spec.replicas ?? 1);
  if (replicas !== expected.replicas)
    add(
      'own-replicas',
      `The Deployment has ${replicas} replicas, the plan ${expected.replicas}`,
      'the connection arithmetic and the checks of "every pooler" count the plan’s',
      `Set pooler.replicas to ${replicas} in the plan, or replicas to ${expected.replicas}`,
    );
  const port = checkService(objects, template.metadata?.labels ?? {}, container, expected, add);
  checkUserlist(objects, template.spec, container, ini, expected, add);
  if (ini) checkOwnIni(ini, port, expected, add);
  else
    add(
      'own-no-ini',
      'No ConfigMap or Secret with pgbouncer.ini is among the manifests',
      "what the pooler serves can't be checked; an image that writes it from environment variables is checked at p1.connectivity only",
      'Bring pgbouncer.ini in a ConfigMap',
      'warn',
    );
  return findings;
}

type Add = (id: string, title: string, detail: string, fix: string, severity?: Finding['severity']) => void;

/** The Service that the services will be switched to; answers with the port in the pod behind it. */
function checkService(
  objects: readonly KubeObject[],
  labels: Record<string, string>,
  container: KubeJson,
  { service, port }: Expected,
  add: Add,
): number | undefined {
  const found = objects.find((object) => object.kind === 'Service' && object.metadata.name === service);
  const selector = Object.entries((found?.spec?.selector ?? {}) as Record<string, string>);
  if (!found || selector.length === 0 || !selector.every(([key, value]) => labels[key] === value)) {
    add(
      'own-service',
      `No Service ${service} selects the pooler pods`,
      found ? 'its selector is another one' : 'the services are switched to this name',
      `Call the Service ${service}, or set pooler.name in the plan`,
    );
    return undefined;
  }
  if (!list(found.spec?.ports).some((one) => one.port === port)) {
    add(
      'own-port',
      `The Service ${service} has no port ${port}`,
      `it has ${
        list(found.spec?.ports)
          .map((one) => one.port)
          .join(', ') || 'none'
      }`,
      `Add port ${port}, or set pooler.port in the plan`,
    );
    return undefined;
  }
  return portInPod({ spec: { containers: [container] } }, targetPortOf(found, port) ?? port);
}

function checkUserlist(
  objects: readonly KubeObject[],
  pod: KubeJson,
  container: KubeJson,
  ini: ParsedIni | undefined,
  { userlistSecret }: Expected,
  add: Add,
): void {
  if (objects.some((object) => object.kind === 'Secret' && object.metadata.name === userlistSecret)) {
    add(
      'own-userlist',
      `The manifests bring the Secret ${userlistSecret} too`,
      'it would replace the one that p1.secret writes with passwords that were proved by a login',
      'Take it out of the folder; give its passwords with --admin-password-file and the like when they have to stay',
    );
  }
  const volume = list(pod.volumes).find(
    (one) =>
      one.secret?.secretName === userlistSecret ||
      list(one.projected?.sources).some((source) => source.secret?.name === userlistSecret),
  );
  const mount = volume && list(container.volumeMounts).find((one) => one.name === volume.name);
  if (!mount) {
    add(
      'own-userlist-mount',
      `PgBouncer does not mount the Secret ${userlistSecret}`,
      'it would not know the passwords that the wizard writes',
      `Mount it as a folder and point auth_file to userlist.txt in it, or name yours in pooler.userlistSecret`,
    );
    return;
  }
  const file = ini?.settings.get('auth_file');
  const expected = mount.subPath ? mount.mountPath : `${String(mount.mountPath).replace(/\/$/, '')}/userlist.txt`;
  if (ini && file !== expected)
    add(
      'own-auth-file',
      `auth_file is ${file ?? 'not set'}`,
      `the Secret ${userlistSecret} is mounted at ${mount.mountPath}`,
      `Set auth_file = ${expected}`,
    );
}

function checkOwnIni(ini: ParsedIni, port: number | undefined, expected: Expected, add: Add): void {
  const users = (key: string) =>
    (ini.settings.get(key) ?? '')
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  if (!users('admin_users').includes(expected.adminUser))
    add(
      'own-admin',
      `admin_users lacks ${expected.adminUser}`,
      `it is ${users('admin_users').join(', ') || 'empty'}; without it the wizard sees no pool`,
      `Set admin_users = ${expected.adminUser}, or pooler.adminUser in the plan`,
    );
  if (!users('stats_users').includes(expected.statsUser))
    add(
      'own-stats',
      `stats_users lacks ${expected.statsUser}`,
      "the exporter's password in the Secret is this user's",
      `Set stats_users = ${expected.statsUser}`,
      'warn',
    );
  const listen = Number(ini.settings.get('listen_port') ?? 6432);
  if (port !== undefined && listen !== port)
    add(
      'own-listen-port',
      `PgBouncer listens on ${listen}, the Service sends to ${port}`,
      'connections to the Service are refused',
      `Set listen_port = ${port}`,
    );
  for (const { role, database } of expected.logins) {
    const entry = entryFor(ini, database);
    const forced = entry?.get('user');
    if (!entry)
      add(
        'own-database',
        `[databases] has no entry for ${database}`,
        'clients are answered "no such database"',
        `Add ${database} = host=… port=… dbname=${database}`,
      );
    else if (forced !== undefined && forced !== role)
      add(
        'own-forced-user',
        `[databases] makes everybody ${forced} in ${database}`,
        `the services log in as ${role}`,
        `Remove user=${forced}, or set postgres.role in the plan`,
      );
  }
}
