/**
 * The doctor's round (guide: troubleshooting): every check of the diagnosis table is run against the live cluster, not
 * only named. Reads only. Each finding says what was seen where, and which fix can be made from here (fixes.ts).
 */
import { diagnoseRows } from '../pgbouncer/diagnosis.ts';
import type { DiagnosisFacts } from '../pgbouncer/diagnosis-types.ts';
import { parseVersion } from '../pgbouncer/version.ts';
import { loginsOf, loginText, rolesOf } from '../plan/logins.ts';
import { capacityFindings, headroom, readCapacity } from '../postgres/capacity.ts';
import type { CapacityFacts } from '../postgres/types.ts';
import type { DoctorFinding } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { lookAtPoolerLogs } from '../steps/pooler-logs.ts';
import { explainRefusal, readRoleFacts } from '../steps/role-facts.ts';
import { secretsOf } from '../steps/run-secrets.ts';
import type { LookContext } from '../steps/types.ts';
import { type FixId, fixFor } from './fixes.ts';

export interface Found extends DoctorFinding {
  /** Stable: a row of the diagnosis table, or the name of a check. */
  readonly id: string;
  /** What `--fix` takes, when the fix can be made from here. */
  readonly fixId?: FixId;
}

export interface Examination {
  readonly findings: readonly Found[];
  /** `SHOW POOLS of pgbouncer-…`: every check that was really run. */
  readonly looked: readonly string[];
  readonly missed: readonly string[];
}

/** Log lines older than this speak of trouble that may be over. */
const LOOK_BACK_SECONDS = 120;
/** A login and `select 1` take milliseconds; the table speaks of waiting clients from a second on. */
const WORTH_A_LOOK_MS = 1300;

class Notes {
  readonly findings = new Map<string, Found>();
  readonly looked: string[] = [];
  readonly missed: string[] = [];

  add(found: Found): void {
    if (!this.findings.has(found.id)) this.findings.set(found.id, found);
  }
}

/** Never throws and never fails as a whole: what could not be looked at is in `missed`. */
export async function examine(ctx: LookContext, texts: readonly string[] = []): Promise<Examination> {
  const notes = new Notes();
  const capacity = await role(ctx, notes);
  const pods = await ctx.pooler.pods(ctx.signal);
  if (!pods.ok) notes.missed.push(`pods of ${ctx.plan.pooler.name}: ${pods.error.message}`);
  const poolers = pods.ok ? pods.value : [];
  if (pods.ok) {
    notes.looked.push(`pods of ${ctx.plan.pooler.name}`);
    const ready = poolers.filter((pod) => pod.ready);
    if (ready.length < ctx.plan.pooler.replicas) {
      notes.add({
        id: 'pooler-not-ready',
        symptom:
          ready.length === 0
            ? 'No pooler is ready: connections are refused'
            : `${ready.length} of ${ctx.plan.pooler.replicas} poolers are ready`,
        cause: 'The pods are missing, starting or failing',
        check: `pods behind the Service ${ctx.plan.pooler.name}`,
        observed: poolers.map((pod) => `${pod.name} ${pod.ready ? 'ready' : 'not ready'}`).join(', ') || 'no pod runs',
        fix: `kubectl describe pod -l app=${ctx.plan.pooler.name}; kubectl logs of its last start`,
      });
    }
  }
  const logs = await lookAtPoolerLogs(ctx, LOOK_BACK_SECONDS);
  if (logs.verdict === 'inconclusive') notes.missed.push(`logs of the poolers: ${logs.observed}`);
  else notes.looked.push('logs of every pooler');
  const lines = logs.lines ?? [];
  for (const pod of poolers.filter((one) => one.ready))
    await pooler(ctx, pod.name, [...texts, ...lines], capacity, notes);
  if (poolers.length === 0) for (const [id, one] of diagnoseRows(texts)) notes.add(withFix(id, one));
  return { findings: [...notes.findings.values()], looked: notes.looked, missed: notes.missed };
}

const withFix = (id: string, finding: DoctorFinding): Found => {
  const fixId = fixFor(id);
  return { ...finding, id, ...(fixId ? { fixId } : {}) };
};

/** One pooler: its console, its configuration, its pools, and a login through it. */
async function pooler(
  ctx: LookContext,
  pod: string,
  texts: readonly string[],
  capacity: CapacityFacts | undefined,
  notes: Notes,
): Promise<void> {
  const console = await ctx.pooler.console(pod);
  if (!console) {
    notes.missed.push(`console of ${pod}: no login as ${ctx.plan.pooler.adminUser}`);
    return;
  }
  // A client of our own waits in the same queue as everybody: when it is not served at once, the pools are looked at while
  // it stands there.
  const waiting = throughPooler(ctx, pod, notes);
  await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, WORTH_A_LOOK_MS))]);
  const [config, databases, pools, lists, version] = [
    await console.config(),
    await console.show('DATABASES'),
    await console.show('POOLS'),
    await console.show('LISTS'),
    await console.version(),
  ];
  if (config.ok && databases.ok && pools.ok && lists.ok && version.ok)
    notes.looked.push(`SHOW VERSION, CONFIG, DATABASES, POOLS, LISTS of ${pod}`);
  else notes.missed.push(`console of ${pod}: a command failed`);
  const through = await waiting;
  const parsed = version.ok ? parseVersion(version.value.text) : undefined;
  const facts: DiagnosisFacts = {
    ...(parsed?.ok ? { poolerVersion: parsed.value } : {}),
    ...(config.ok ? { config: config.value } : {}),
    ...(pools.ok ? { pools: pools.value } : {}),
    ...(databases.ok ? { databases: databases.value } : {}),
    ...(capacity?.storedAs ? { storedAs: capacity.storedAs } : {}),
  };
  const stateKnown = databases.ok && !databases.value.some((row) => Number(row.disabled) > 0 || Number(row.paused) > 0);
  for (const [id, finding] of diagnoseRows(through ? [through, ...texts] : texts, facts)) {
    // The log still speaks of what the state of now refutes.
    if (id === 'database-disabled' && stateKnown) continue;
    const found = withFix(id, { ...finding, observed: `${pod}: ${finding.observed}` });
    // More server connections help only when nobody holds them idle, and PostgreSQL has room for them.
    if (id === 'clients-waiting') notes.add(await exhausted(ctx, found, capacity));
    else notes.add(found);
  }
  if (config.ok && config.value.get('pool_mode') !== 'transaction') {
    notes.add({
      id: 'pool-mode',
      symptom: 'The pooler saves no connection',
      cause: `pool_mode is ${config.value.get('pool_mode') ?? 'session'}: a client keeps its server connection as long as it stays`,
      check: 'pool_mode in SHOW CONFIG',
      observed: `${pod}: pool_mode ${config.value.get('pool_mode')}`,
      fix: 'Set pool_mode = transaction, then RELOAD',
    });
  }
  const used = lists.ok ? Number(lists.value.find((row) => row.list === 'used_clients')?.items ?? 0) : 0;
  const most = config.ok ? Number(config.value.get('max_client_conn') ?? 0) : 0;
  if (most > 0 && used > most * 0.9) {
    notes.add({
      id: 'clients-near-limit',
      symptom: 'The pooler is nearly full of clients',
      cause: 'max_client_conn is per pooler, and one must carry all while the other is gone',
      check: 'used_clients in SHOW LISTS against max_client_conn',
      observed: `${pod}: ${used} of ${most}`,
      fix: 'Raise max_client_conn, then RELOAD; mind the descriptor limit',
    });
  }
}

/** A login and a query as a service would make them; answers with what a client would have heard. */
async function throughPooler(ctx: LookContext, pod: string, notes: Notes): Promise<string | undefined> {
  const logins = loginsOf(ctx.plan);
  for (const login of logins) {
    const as = logins.length > 1 ? ` as ${loginText(login)}` : '';
    if (!secretsOf(ctx.secrets, ctx.plan, login.role).password) {
      notes.missed.push(`a login through ${pod}${as}: the password of ${login.role} is not known`);
      continue;
    }
    const session = await ctx.pooler.throughPooler(pod, login);
    if (!session.ok) {
      notes.looked.push(`a login through ${pod}${as}`);
      return session.error.message;
    }
    const answer = await session.value.query('select 1');
    await session.value.close();
    notes.looked.push(`a query through ${pod}${as}`);
    if (!answer.ok) return answer.error.message;
  }
  return undefined;
}

/** The role, its login, and the room in PostgreSQL. */
async function role(ctx: LookContext, notes: Notes): Promise<CapacityFacts | undefined> {
  for (const login of loginsOf(ctx.plan)) {
    const own = await ctx.pooler.postgres(login);
    if (own.ok || own.error.code !== 'auth-failed') continue;
    notes.looked.push(`a login of ${login.role} in PostgreSQL`);
    const why = await explainRefusal(ctx, own.error.message, login);
    notes.add({
      id: login.role === ctx.plan.postgres.role ? 'role-refused' : `role-refused:${login.role}`,
      symptom: `PostgreSQL refuses ${login.role}`,
      cause: why.cause,
      check: 'a direct login of the role; verifier, LOGIN and VALID UNTIL when postgres.adminSecret is given',
      observed: own.error.message,
      fix: why.hint,
    });
  }
  const session = await ctx.pooler.inspector();
  if (!session.ok) {
    notes.missed.push(`PostgreSQL: ${session.error.message}`);
    return undefined;
  }
  const capacity = await readCapacity(session.value, ctx.plan.postgres);
  if (!capacity.ok) {
    notes.missed.push(`limits of PostgreSQL: ${capacity.error.message}`);
    return undefined;
  }
  notes.looked.push('role, database and limits in PostgreSQL');
  for (const one of capacityFindings(capacity.value)) {
    notes.add({
      id: one.id,
      symptom: one.title,
      cause: one.detail,
      check: 'pg_roles, pg_database, pg_authid where it may be read',
      observed: one.detail,
      fix: one.fix ?? 'Change it in PostgreSQL',
    });
  }
  const verifier = await readRoleFacts(ctx);
  if (verifier.matches === false) {
    notes.add({
      id: 'verifier-differs',
      symptom: 'pg_authid holds the verifier of another password',
      cause: "The password of the role was changed, and the services' addresses were not (or the other way round)",
      check: 'pg_authid.rolpassword against the password of the services',
      observed: 'the verifier was not made from it',
      fix: 'Set the password again with ALTER ROLE, or change it where the services take it from',
    });
  }
  const room = headroom(capacity.value, 5);
  if (!room.fits) {
    notes.add({
      id: 'postgres-nearly-full',
      symptom: 'PostgreSQL has hardly a connection left',
      cause: 'Pools of all poolers and direct sessions together are too many',
      check: 'pg_stat_activity against max_connections',
      observed: room.text,
      fix: 'Shrink max_db_connections, or roll the last service back when others fail',
    });
  }
  const standby = await session.value.query('select pg_is_in_recovery() as standby');
  if (standby.ok && standby.value[0]?.standby === true) {
    notes.add({
      id: 'standby',
      symptom: 'PostgreSQL is a standby: writes fail',
      cause: 'It failed over, or the Service selects the wrong pod',
      check: 'pg_is_in_recovery()',
      observed: 'true',
      fix: 'Point the Service at the primary',
    });
  }
  return capacity.value;
}

async function exhausted(ctx: LookContext, found: Found, capacity: CapacityFacts | undefined): Promise<Found> {
  const eyes = await ctx.pooler.inspectors();
  let idle = 0;
  for (const { role, session } of eyes.ok ? eyes.value : []) {
    const rows = await session.query(
      `select count(*)::int as n from pg_stat_activity
        where usename = any($1) and state like 'idle in transaction%' and clock_timestamp() - state_change > interval '1 second'`,
      [role === undefined ? rolesOf(ctx.plan) : [role]],
    );
    if (rows.ok) idle += Number(rows.value[0]?.n ?? 0);
  }
  const { fixId: _, ...rest } = found;
  if (idle > 0) {
    return {
      ...rest,
      cause: `The pool is exhausted: ${idle} transactions stay open (idle in transaction)`,
      observed: `${found.observed}; ${idle} idle in transaction in pg_stat_activity`,
      fix: 'Roll the service back that leaves transactions open. A larger pool only moves the moment at which it is full.',
    };
  }
  const free = capacity ? headroom(capacity, 5) : undefined;
  if (free && !free.fits) return { ...rest, observed: sanitiseLine(`${found.observed}; ${free.text}`, 500) };
  return found;
}
