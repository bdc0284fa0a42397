/** The preflight's look at PostgreSQL: who is connected, the roles, the arithmetic. */
import { crossCheck } from '../kube/discover.ts';
import { ref } from '../kube/refs.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { parseVersion } from '../pgbouncer/config.ts';
import { entryFor, poolSizes } from '../pgbouncer/own-pooler.ts';
import { computeSizing } from '../pgbouncer/sizing.ts';
import { databasesOf, type Login, loginsOf, loginText, rolesByDatabase } from '../plan/logins.ts';
import { capacityFindings, readCapacity } from '../postgres/capacity.ts';
import type { CapacityFacts, Postgres } from '../postgres/types.ts';
import { ok, type Result } from '../result.ts';
import { takeRolePassword } from './credentials-source.ts';
import { readClients, unexplainedClients } from './live-clients.ts';
import { lookAtPostgres } from './looks.ts';
import { ownManifests } from './own-manifests.ts';
import { assumedPoolerVersion, PGBENCH_IMAGE } from './plan-facts.ts';
import { hazards } from './preflight-hazards.ts';
import { explainRefusal } from './role-facts.ts';
import type { StepContext, StepFailure } from './types.ts';

/** What is written in the workloads against who is connected: a consumer nobody can see stays on PostgreSQL unnoticed. */
async function whoConnects(ctx: StepContext, found: Discovery): Promise<void> {
  const clients = await readClients(ctx.pooler);
  const seen = clients.ok ? await crossCheck(ctx.kube, ctx.fleet.namespace, found, clients.value, ctx.signal) : clients;
  if (!seen.ok) {
    ctx.message('warn', `who is connected could not be compared with the workloads: ${seen.error.message}`);
    return;
  }
  const odd = unexplainedClients(seen.value, ctx.plan.pooler.name);
  ctx.evidence({
    check: 'connected clients',
    verdict: 'pass',
    observed: `${seen.value.byWorkload.size} workloads connected${odd.length > 0 ? `; not explained by any address that can be seen: ${odd.join('; ')}` : ', all of them known'}`,
    data: { unexplained: odd },
  });
  if (odd.length > 0) ctx.message('warn', `connected, and nothing here explains it: ${odd.join('; ')}`);
}

/** PostgreSQL: reachable, room, hazards. */
export async function database(ctx: StepContext, found: Discovery): Promise<StepFailure | undefined> {
  let password = await takeRolePassword(ctx, found);
  if (!password.ok) {
    // A fleet that is on the pooler already: its addresses there hold the same password.
    const pooled = await ctx.fleet.discoverPooled(ctx.signal);
    if (pooled.ok && (await takeRolePassword(ctx, pooled.value)).ok) password = ok(undefined);
  }
  if (!password.ok) {
    ctx.evidence({ check: 'password of the role', verdict: 'fail', observed: password.error.message });
    return { cause: password.error.message, hint: password.error.next?.join(' ') ?? '' };
  }
  ctx.waitingFor('a session in PostgreSQL');
  const role = await ctx.pooler.postgres();
  if (!role.ok && role.error.code === 'auth-failed') {
    const why = await explainRefusal(ctx, role.error.message);
    ctx.evidence({ check: 'PostgreSQL', verdict: 'fail', observed: why.cause, expected: 'a login of the role' });
    return why;
  }
  const session = role.ok ? await ctx.pooler.inspector() : role;
  if (!session.ok) {
    // PostgreSQL outside of the cluster: seen through the pooler later. Anything else is a failure now.
    const outside = session.error.code === 'postgres-unreachable' && session.error.retryable;
    ctx.evidence({ check: 'PostgreSQL', verdict: outside ? 'inconclusive' : 'fail', observed: session.error.message });
    return outside
      ? undefined
      : {
          cause: session.error.message,
          hint: session.error.next?.join(' ') ?? 'Check the pod of PostgreSQL.',
          symptoms: [session.error.message],
        };
  }
  for (const login of loginsOf(ctx.plan).slice(1)) {
    const refused = await otherLogin(ctx, login);
    if (refused) return refused;
  }
  await whoConnects(ctx, found);
  const capacities = await readCapacities(ctx, session.value);
  const activity = await lookAtPostgres(ctx);
  if (!capacities.ok || !activity.ok) {
    const error = !capacities.ok ? capacities.error : (activity as Extract<Result<never>, { ok: false }>).error;
    ctx.evidence({ check: 'connection arithmetic', verdict: 'inconclusive', observed: error.message });
    return undefined;
  }
  const capacity = capacities.value[0]!.facts;
  await rememberImage(ctx);
  let closed: StepFailure | undefined;
  for (const { login, facts } of capacities.value) closed = roleFindings(ctx, login, capacityFindings(facts)) ?? closed;
  const plain = noTls(ctx, capacity);
  const own = await ownManifests(ctx);
  const ini = own.ok ? own.value?.pooler?.ini : undefined;
  const version =
    own.ok && own.value?.pooler?.version ? ok(own.value.pooler.version) : parseVersion(assumedPoolerVersion(ctx.plan));
  if (!version.ok) return { cause: version.error.message, hint: '' };
  const forced = ini
    ? databasesOf(ctx.plan).every((database) => entryFor(ini, database)?.has('user'))
    : oneRoleEach(ctx);
  const sizing = computeSizing({
    maxConnections: capacity.maxConnections,
    superuserReserved: capacity.superuserReserved,
    reservedConnections: capacity.reservedConnections,
    poolerReplicas: ctx.plan.pooler.replicas,
    poolerVersion: version.value,
    peakDirect: activity.value.directTotal,
    otherSessions: activity.value.other,
    services: found.workloads.map((one) => ({ name: one.ref.name, replicas: one.replicas, appPool: 16 })),
    forcedUser: forced,
    ...(own.ok && own.value?.pooler ? { maxSurge: own.value.pooler.surge } : {}),
    ...(ini ? { fixed: new Map(databasesOf(ctx.plan).map((database) => [database, poolSizes(ini, database)])) } : {}),
    pools: capacities.value.map(({ login, facts }) => ({
      ...login,
      roleConnectionLimit: facts.roleConnectionLimit,
      databaseConnectionLimit: facts.databaseConnectionLimit,
      roleDirect: activity.value.directByRole.get(login.role) ?? 0,
    })),
    wanted: {
      poolSize: ctx.plan.pooler.poolSize,
      minPoolSize: ctx.plan.pooler.minPoolSize,
      reservePool: ctx.plan.pooler.reserve,
      maxClientConn: ctx.plan.pooler.maxClientConn,
    },
  });
  const blocks = sizing.findings.filter((one) => one.severity === 'block');
  ctx.fact('sizing', {
    ...sizing,
    databases: { ...sizing.databases },
    arithmetic: [...sizing.arithmetic],
    findings: sizing.findings.map((one) => ({
      id: one.id,
      severity: one.severity,
      title: one.title,
      detail: one.detail,
    })),
  });
  ctx.fact('postgres', {
    version: capacity.serverVersion,
    maxConnections: capacity.maxConnections,
    storedAs: capacity.storedAs ?? 'unknown',
  });
  ctx.evidence({
    check: 'connection arithmetic',
    verdict: blocks.length > 0 ? 'fail' : 'pass',
    observed:
      blocks.length > 0
        ? blocks.map((one) => one.detail).join('; ')
        : `${ctx.plan.pooler.replicas} poolers x ${sizing.maxDbConnections} = ${sizing.expectedServerConnections} of ${capacity.maxConnections}; ${activity.value.directTotal} direct now`,
    expected: 'room for all poolers beside the services that are not switched yet',
    data: { arithmetic: [...sizing.arithmetic] },
  });
  for (const one of sizing.findings) if (one.severity === 'warn') ctx.message('warn', `${one.title}: ${one.detail}`);
  const hazard = await hazards(ctx, found, version.value);
  const block = blocks[0];
  if (closed ?? plain) return closed ?? plain;
  return block
    ? { cause: `${block.title}: ${block.detail}`, hint: block.fix ?? 'Lower the pool sizes of the plan.' }
    : hazard;
}

/** What is called after PostgreSQL has pgbench as a rule: the official image always, those built on it and of operators mostly. */
const SERVER_IMAGES = [/(^|\/)postgres(:|@|$)/, /postgres|postgis|timescale|spilo|pgvector/i];

/** The image that the server runs from: the nodes of this cluster can pull it, which of no other one is known. */
async function rememberImage(ctx: StepContext): Promise<void> {
  const name = ctx.pooler.postgresPod;
  const pod = name ? await ctx.kube.get(ref('Pod', ctx.fleet.namespace, name), { signal: ctx.signal }) : undefined;
  const images: string[] = pod?.ok
    ? (pod.value.spec?.containers ?? []).map((one: { image?: string }) => one.image ?? '')
    : [];
  const servers = images.filter((one) => !/exporter|pgbouncer|pgpool/i.test(one));
  const image = SERVER_IMAGES.map((known) => servers.find((one) => known.test(one))).find((one) => one !== undefined);
  if (image) ctx.fact('postgresImage', image);
  else if (ctx.plan.baseline.enabled && ctx.plan.baseline.image === undefined) {
    ctx.message(
      'warn',
      `pgbench will run from ${PGBENCH_IMAGE}, because the image of PostgreSQL is not known from here; where this cluster can't pull that, name one with pgbench: baseline.image in the plan`,
    );
  }
}

/** A pooler that asks for TLS gets no connection from a PostgreSQL without it. */
function noTls(ctx: StepContext, { ssl }: CapacityFacts): StepFailure | undefined {
  const mode = ctx.plan.pooler.tls?.server?.mode;
  if (mode === undefined || mode === 'disable' || mode === 'allow' || mode === 'prefer') return undefined;
  ctx.evidence({
    check: 'TLS of PostgreSQL',
    verdict: ssl ? 'pass' : 'fail',
    observed: `ssl is ${ssl ? 'on' : 'off'}`,
    expected: `on, because pooler.tls.server.mode is ${mode}`,
  });
  if (ssl) return undefined;
  return {
    cause: `PostgreSQL offers no TLS (ssl is off), and the plan asks for ${mode}`,
    hint: 'Give PostgreSQL a certificate, or set pooler.tls.server.mode to prefer.',
  };
}

/** No role is forced into a database that several use, and none when the plan keeps clear passwords out of the Secret. */
const oneRoleEach = ({ plan }: StepContext): boolean =>
  ['auto', 'plaintext'].includes(plan.pooler.credentials ?? 'auto') &&
  [...rolesByDatabase(plan).values()].every((roles) => roles.length === 1);

/** A login of one of the plan's further roles; the failure when PostgreSQL refuses it. */
async function otherLogin(ctx: StepContext, login: Login): Promise<StepFailure | undefined> {
  ctx.waitingFor(`a session of ${loginText(login)}`);
  const session = await ctx.pooler.postgres(login);
  if (session.ok) return undefined;
  const check = `PostgreSQL, ${loginText(login)}`;
  if (session.error.code !== 'auth-failed') {
    const { message, next } = session.error;
    ctx.evidence({ check, verdict: 'fail', observed: message });
    return { cause: `${loginText(login)}: ${message}`, hint: next?.join(' ') ?? 'Correct postgres.also in the plan.' };
  }
  const why = await explainRefusal(ctx, session.error.message, login);
  ctx.evidence({ check, verdict: 'fail', observed: why.cause, expected: 'a login of the role' });
  return why;
}

async function readCapacities(
  ctx: StepContext,
  session: Postgres,
): Promise<Result<{ readonly login: Login; readonly facts: CapacityFacts }[]>> {
  const all: { login: Login; facts: CapacityFacts }[] = [];
  for (const login of loginsOf(ctx.plan)) {
    const facts = await readCapacity(session, login);
    if (!facts.ok) return facts;
    all.push({ login, facts: facts.value });
  }
  return ok(all);
}

/** What about the role and the database stops a pooler whatever the arithmetic says. */
function roleFindings(
  ctx: StepContext,
  { role, database }: Login,
  findings: ReturnType<typeof capacityFindings>,
): StepFailure | undefined {
  const [block, ...more] = findings.filter((one) => one.severity === 'block');
  ctx.evidence({
    check: `role ${role} and database ${database}`,
    verdict: block ? 'fail' : 'pass',
    observed:
      findings.length > 0
        ? findings.map((one) => `${one.title} (${one.detail})`).join('; ')
        : `${role} may log in, ${database} takes connections`,
    expected: 'LOGIN, not expired, connections allowed',
  });
  for (const one of findings) if (one.severity === 'warn') ctx.message('warn', `${one.title}: ${one.detail}`);
  if (!block) return undefined;
  return {
    cause: [block, ...more].map((one) => `${one.title}: ${one.detail}`).join('; '),
    hint: block.fix ? `${block.fix}; then retry.` : 'Mend it in PostgreSQL, then retry.',
  };
}
