/**
 * The fixes that can be made from here, each shown as a diff before and proved after: nothing restarts, no client is cut.
 * The guide restarts the Deployment for a larger pool, which drops every client of it.
 */
import { ref } from '../kube/refs.ts';
import type { KubeObject, Ref } from '../kube/types.ts';
import type { UserlistEntry } from '../pgbouncer/credential-types.ts';
import { parseUserlist, renderUserlist } from '../pgbouncer/credentials.ts';
import { parseIni } from '../pgbouncer/ini-parse.ts';
import { configDifferences, reloadAndProve } from '../pgbouncer/reload.ts';
import { databasesOf, loginsOf, rolesByDatabase } from '../plan/logins.ts';
import { headroom, readCapacity } from '../postgres/capacity.ts';
import { fail, ok, type Result } from '../result.ts';
import type { DiffLine } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { poolerWorkload } from '../steps/own-manifests.ts';
import { secretsOf } from '../steps/run-secrets.ts';
import type { LookContext } from '../steps/types.ts';

export type FixId = 'resume' | 'enable' | 'reconnect' | 'pool-size' | 'userlist';

export interface Fix {
  readonly id: FixId;
  readonly summary: string;
  readonly diff: readonly DiffLine[];
  readonly commands: readonly string[];
  /** Makes the change and proves it; answers with what was seen afterwards. */
  apply(): Promise<Result<string>>;
}

const FIXES: Readonly<Record<string, FixId>> = {
  'database-paused': 'resume',
  'database-disabled': 'enable',
  'cached-plan': 'reconnect',
  'read-only-leak': 'reconnect',
  'relation-missing': 'reconnect',
  'clients-waiting': 'pool-size',
  'server-password': 'userlist',
  'scram-keys-missing': 'userlist',
  'auth-file': 'userlist',
};

/** The fix for a row of the table, when it can be made from here. */
export const fixFor = (finding: string): FixId | undefined => FIXES[finding];

/** Connections that a larger pool leaves to people and monitoring. */
const KEPT_FREE = 5;

/** Real time that a kubelet may take to bring a changed ConfigMap or Secret into the pod. */
const MOUNT_LIMIT_MS = 120_000;
const TRY_EVERY_MS = 1000;

/** What the fix would change. Reads only. */
export async function planFix(id: FixId, ctx: LookContext): Promise<Result<Fix>> {
  if (id === 'pool-size') return poolSize(ctx);
  if (id === 'userlist') return userlist(ctx);
  return consoleFix(id, ctx);
}

async function consoleFix(id: 'resume' | 'enable' | 'reconnect', ctx: LookContext): Promise<Result<Fix>> {
  const verb = { resume: 'RESUME', enable: 'ENABLE', reconnect: 'RECONNECT' }[id];
  const column = { resume: 'paused', enable: 'disabled', reconnect: undefined }[id];
  const pods = await readyPods(ctx);
  if (!pods.ok) return pods;
  const state = async (pod: string, database: string): Promise<number | undefined> => {
    if (!column) return 0;
    const rows = await (await ctx.pooler.console(pod))?.show('DATABASES');
    return rows?.ok ? Number(rows.value.find((row) => row.name === database)?.[column] ?? 0) : undefined;
  };
  const due: { pod: string; database: string; command: string }[] = [];
  for (const pod of pods.value) {
    for (const database of databasesOf(ctx.plan)) {
      // The console reads a name as it is written; without one the command is for all databases.
      const command = /^[A-Za-z_][A-Za-z0-9_]*$/.test(database) ? `${verb} ${database}` : verb;
      if (!column || ((await state(pod, database)) ?? 0) > 0) due.push({ pod, database, command });
    }
  }
  if (due.length === 0) return fail('not-eligible', `no pooler has ${databasesOf(ctx.plan).join(' or ')} ${column}`);
  const poolers = [...new Set(due.map((one) => one.pod))];
  return ok({
    id,
    summary: `${[...new Set(due.map((one) => one.command))].join(', ')} on ${poolers.length} poolers`,
    diff: due.flatMap(({ pod, database }) =>
      column
        ? [
            { kind: 'remove' as const, text: `${pod}: ${database} ${column} 1` },
            { kind: 'add' as const, text: `${pod}: ${database} ${column} 0` },
          ]
        : [
            {
              kind: 'add' as const,
              text: `${pod}: new server connections to ${database}, after the running transactions`,
            },
          ],
    ),
    commands: due.map(({ pod, command }) => `${pod}: ${command}`),
    async apply() {
      for (const { pod, database, command } of due) {
        const sent = await (await ctx.pooler.console(pod))?.command(command);
        if (!sent) return fail('pooler-unreachable', `the console of ${pod} does not answer`);
        if (!sent.ok) return sent;
        if (((await state(pod, database)) ?? 1) !== 0)
          return fail('precondition-failed', `${pod}: ${database} is still ${column}`);
      }
      return proveLogins(ctx, poolers);
    },
  });
}

/** A larger pool by a quarter, at least 5, within what PostgreSQL has left for all poolers and one more during a roll. */
async function poolSize(ctx: LookContext): Promise<Result<Fix>> {
  const pods = await readyPods(ctx);
  if (!pods.ok) return pods;
  const database = await fullest(ctx);
  const found = await configMap(ctx);
  if (!found.ok) return found;
  const { where, object, key, text } = found.value;
  const entry = parseIni(text).databases.get(database);
  const size = Number(entry?.get('pool_size'));
  const most = Number(entry?.get('max_db_connections') ?? 0);
  if (!entry || !Number.isInteger(size) || size < 1) {
    return fail('not-eligible', `pgbouncer.ini has no pool_size for ${database} that could be raised here`);
  }
  const session = await ctx.pooler.inspector();
  const capacity = session.ok ? await readCapacity(session.value, ctx.plan.postgres) : session;
  if (!capacity.ok) return capacity;
  // Each role of the database has a pool of this size.
  const roles = rolesByDatabase(ctx.plan).get(database)?.length ?? 1;
  const { free, text: inUse } = headroom(capacity.value, KEPT_FREE, 'kept for people');
  const shares = (ctx.plan.pooler.replicas + 1) * roles;
  const room = Math.floor((free - KEPT_FREE) / shares);
  const arithmetic = `${inUse}; ${Math.max(0, free - KEPT_FREE)} / ${ctx.plan.pooler.replicas + 1} poolers (one more during a roll)${roles > 1 ? ` / ${roles} roles` : ''} = ${Math.max(0, room)} more for each pool`;
  const more = Math.min(Math.max(5, Math.ceil(size / 4)), room);
  if (more < 1) {
    return fail('not-eligible', 'PostgreSQL has no room for a larger pool', {
      cause: arithmetic,
      next: ['End long transactions, raise max_connections, or roll a service back.'],
    });
  }
  const line = text.split('\n').find((one) => one.startsWith(`${database} = `));
  if (!line) return fail('not-eligible', `pgbouncer.ini has no plain line for ${database}`);
  const changed = line
    .replace(/\bpool_size=\d+/, `pool_size=${size + more}`)
    .replace(/\bmax_db_connections=\d+/, `max_db_connections=${most + more * roles}`);
  const ini = text.replace(line, changed);
  return ok({
    id: 'pool-size',
    summary: `raise the pool of ${database} from ${size} to ${size + more} a pooler, without a restart`,
    diff: [
      { kind: 'remove', text: sanitiseLine(line, 300) },
      { kind: 'add', text: sanitiseLine(changed, 300) },
      { kind: 'note', text: arithmetic },
    ],
    commands: [
      `kubectl patch configmap ${where.name} -n ${ctx.fleet.namespace} --type merge -p …`,
      ...pods.value.map((pod) => `${pod}: RELOAD`),
    ],
    async apply() {
      const known = new Map<string, readonly string[]>();
      for (const pod of pods.value) {
        const console = await ctx.pooler.console(pod);
        const now = console ? await configDifferences(console, text) : undefined;
        if (now?.ok) known.set(pod, now.value);
      }
      const sent = await ctx.kube.mergePatch(where, {
        metadata: { resourceVersion: object.metadata.resourceVersion },
        data: { [key]: ini },
      });
      if (!sent.ok) return sent;
      for (const pod of pods.value) {
        const proved = await untilTrue(ctx, async () => {
          const console = await ctx.pooler.console(pod);
          return console
            ? reloadAndProve(console, ini, known.get(pod))
            : fail('pooler-unreachable', `${pod} does not answer`);
        });
        if (!proved.ok) return proved;
      }
      return ok(`SHOW DATABASES of ${pods.value.length} poolers says pool_size ${size + more}; no client was cut`);
    },
  });
}

/** The database in which most clients wait; the plan's own when nobody does. */
async function fullest(ctx: LookContext): Promise<string> {
  const view = await ctx.pooler.sample();
  const waiting = (database: string) =>
    (view?.rows ?? []).reduce((sum, row) => sum + (row.database === database ? row.clWaiting : 0), 0);
  return databasesOf(ctx.plan).reduce((most, one) => (waiting(one) > waiting(most) ? one : most));
}

/** The clear passwords that PostgreSQL accepts, in place of what PgBouncer cannot log in with. */
async function userlist(ctx: LookContext): Promise<Result<Fix>> {
  const pods = await readyPods(ctx);
  if (!pods.ok) return pods;
  const proved: UserlistEntry[] = [];
  for (const login of loginsOf(ctx.plan)) {
    if (proved.some((one) => one.user === login.role)) continue;
    const { password } = secretsOf(ctx.secrets, ctx.plan, login.role);
    const direct = await ctx.pooler.postgres(login);
    if (!password || !direct.ok) {
      return fail(
        'not-eligible',
        `the password of ${login.role} is not one that PostgreSQL accepts, so it would not help`,
        {
          ...(direct.ok ? {} : { cause: direct.error.message }),
          next: ['Give the right one, or mend the role in PostgreSQL.'],
        },
      );
    }
    proved.push({ user: login.role, secret: password });
  }
  const where = ref('Secret', ctx.fleet.namespace, ctx.plan.pooler.userlistSecret);
  const live = await ctx.kube.get(where, { signal: ctx.signal });
  if (!live.ok) return live;
  const text = Buffer.from(String(live.value.data?.['userlist.txt'] ?? ''), 'base64').toString('utf8');
  const parsed = parseUserlist(text);
  const before = parsed.ok ? parsed.value : [];
  const roles = new Set(proved.map((one) => one.user));
  const next = renderUserlist([
    ...proved,
    ...before.filter((one) => !roles.has(one.user)).map(({ user, secret }) => ({ user, secret })),
  ]);
  return ok({
    id: 'userlist',
    summary: `put the ${proved.length === 1 ? 'password' : 'passwords'} that PostgreSQL accepts into the Secret ${where.name}`,
    diff: proved.flatMap(({ user }) => [
      { kind: 'remove' as const, text: `"${user}" (${before.find((one) => one.user === user)?.kind ?? 'no entry'})` },
      { kind: 'add' as const, text: `"${user}" (plaintext, proved by a direct login just now)` },
    ]),
    commands: [
      `kubectl patch secret ${where.name} (content on standard input)`,
      ...pods.value.map((pod) => `${pod}: RELOAD, RECONNECT`),
    ],
    async apply() {
      const sent = await ctx.kube.mergePatch(where, {
        metadata: { resourceVersion: live.value.metadata.resourceVersion },
        data: { 'userlist.txt': Buffer.from(next.reveal(), 'utf8').toString('base64') },
      });
      if (!sent.ok) return sent;
      return proveLogins(ctx, pods.value, ['RELOAD', 'RECONNECT']);
    },
  });
}

/** A query through each pooler, again and again until it is answered: the mounted file follows the object late. */
async function proveLogins(
  ctx: LookContext,
  pods: readonly string[],
  commands: readonly string[] = [],
): Promise<Result<string>> {
  for (const pod of pods) {
    const proved = await untilTrue(ctx, async () => {
      for (const command of commands) {
        const sent = await (await ctx.pooler.console(pod))?.command(command);
        if (!sent?.ok) return fail('pooler-unreachable', `${command} on ${pod} was not taken`);
      }
      for (const login of loginsOf(ctx.plan)) {
        const session = await ctx.pooler.throughPooler(pod, login);
        if (!session.ok) return session;
        const answer = await session.value.query('select 1');
        await session.value.close();
        if (!answer.ok) return answer;
      }
      return ok(undefined);
    });
    if (!proved.ok) return proved;
  }
  return ok(`a query was answered through ${pods.join(' and ')}`);
}

async function untilTrue(ctx: LookContext, probe: () => Promise<Result<void>>): Promise<Result<void>> {
  const end = performance.now() + MOUNT_LIMIT_MS;
  for (;;) {
    const seen = await probe();
    if (seen.ok || ctx.signal.aborted || performance.now() > end) return seen;
    await new Promise((resolve) => setTimeout(resolve, TRY_EVERY_MS));
  }
}

async function readyPods(ctx: LookContext): Promise<Result<string[]>> {
  const pods = await ctx.pooler.pods(ctx.signal);
  if (!pods.ok) return pods;
  const names = pods.value.filter((pod) => pod.ready).map((pod) => pod.name);
  return names.length > 0 ? ok(names) : fail('pooler-unreachable', 'no pooler is ready');
}

/** The ConfigMap with pgbouncer.ini that the Deployment mounts now. */
async function configMap(
  ctx: LookContext,
): Promise<Result<{ where: Ref; object: KubeObject; key: string; text: string }>> {
  const name = await poolerWorkload(ctx);
  const deployment = await ctx.kube.get(ref('Deployment', ctx.fleet.namespace, name), { signal: ctx.signal });
  if (!deployment.ok) return deployment;
  const volumes: { configMap?: { name: string } }[] = deployment.value.spec?.template?.spec?.volumes ?? [];
  for (const { configMap: source } of volumes) {
    if (!source) continue;
    const where = ref('ConfigMap', ctx.fleet.namespace, source.name);
    const object = await ctx.kube.get(where, { signal: ctx.signal });
    if (!object.ok) return object;
    const text: unknown = object.value.data?.['pgbouncer.ini'];
    if (typeof text === 'string') return ok({ where, object: object.value, key: 'pgbouncer.ini', text });
  }
  return fail('not-eligible', 'the Deployment mounts no ConfigMap with pgbouncer.ini');
}
