/** Before anything is written: can this run end well here, and where would it stop? */
import { crossCheck } from '../kube/discover.ts';
import { ref } from '../kube/refs.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { parseVersion } from '../pgbouncer/config.ts';
import { computeSizing } from '../pgbouncer/sizing.ts';
import { checkPlanAgainst } from '../plan/check.ts';
import { capacityFindings, readCapacity } from '../postgres/capacity.ts';
import { DRIVERS } from '../postgres/drivers.ts';
import { findHazards } from '../postgres/hazards.ts';
import type { Postgres } from '../postgres/types.ts';
import { ok, type Result } from '../result.ts';
import { takeRolePassword } from './credentials-source.ts';
import { driversOf } from './drivers-of.ts';
import { blockersOf } from './eligibility.ts';
import { readClients, unexplainedClients } from './live-clients.ts';
import { lookAtPostgres } from './looks.ts';
import { checkPermissions } from './permissions.ts';
import { assumedPoolerVersion, isPoolerVersionTold, NO_IMAGE, poolerImage, workloadIdOf } from './plan-facts.ts';
import { explainRefusal } from './role-facts.ts';
import type { Step, StepContext, StepFailure, StepResult } from './types.ts';

export const preflight: Step = {
  info: {
    id: 'preflight',
    guide: '-',
    title: 'Preflight',
    phase: 'preflight',
    kind: 'check',
    why: 'Permissions, versions, owners of the workloads, connection arithmetic, what transaction pooling breaks, and the way back: checked before the first write.',
  },
  async verify(ctx) {
    const failures: StepFailure[] = [];
    const note = (failure: StepFailure | undefined) => {
      if (failure) failures.push(failure);
    };
    const version = await versions(ctx);
    note(version.failure);
    note(image(ctx));
    ctx.waitingFor('reading every workload of the namespace');
    // What the templates refer to has to be readable too, so they come first.
    const found = await ctx.fleet.discover(ctx.signal);
    const refused = await checkPermissions(ctx, version.minor, found.ok ? found.value : undefined);
    note(refused);
    if (!found.ok) return refused ? ok(sumUp(failures)) : found;
    const planned = checkPlanAgainst(ctx.plan, [
      ...found.value.workloads.map((one) => one.ref.name),
      ...found.value.notConsumers.map((one) => one.workload.ref.name),
    ]);
    if (!planned.ok) return refused ? ok(sumUp(failures)) : planned;
    note(services(ctx, found.value));
    owners(ctx, found.value);
    note(await database(ctx, found.value));
    return ok(sumUp(failures));
  },
};

function sumUp(failures: readonly StepFailure[]): StepResult {
  const [first] = failures;
  if (!first) return { verdict: 'pass' };
  const error = failures.find((one) => one.error)?.error;
  return {
    verdict: 'fail',
    failure: {
      cause: failures.map((one) => one.cause).join('; '),
      hint: failures.map((one) => one.hint).join(' '),
      symptoms: failures.flatMap((one) => one.symptoms ?? []),
      ...(error ? { error } : {}),
    },
  };
}

async function versions(ctx: StepContext): Promise<{ minor: number; failure?: StepFailure }> {
  ctx.waitingFor('the API server to say its version');
  const version = await ctx.kube.version(ctx.signal);
  if (!version.ok) {
    ctx.evidence({ check: 'Kubernetes version', verdict: 'fail', observed: version.error.message });
    return {
      minor: 0,
      failure: {
        cause: version.error.message,
        hint: version.error.next?.join(' ') ?? 'Check the connection to the cluster.',
      },
    };
  }
  const { gitVersion, major, minor } = version.value;
  const supported = major > 1 || minor >= 27;
  ctx.evidence({
    check: 'Kubernetes version',
    verdict: supported ? 'pass' : 'fail',
    observed: gitVersion,
    expected: '1.27 or later',
  });
  return {
    minor,
    ...(supported
      ? {}
      : { failure: { cause: `Kubernetes ${gitVersion} is older than 1.27`, hint: 'Use a supported cluster.' } }),
  };
}

/** Found out here, and not when the first objects are due: a plan can't be changed under a run that has begun. */
function image(ctx: StepContext): StepFailure | undefined {
  const { manifests } = ctx.plan.pooler;
  const seen = poolerImage(ctx);
  const named = manifests !== undefined || seen !== undefined;
  ctx.evidence({
    check: 'image of PgBouncer',
    verdict: named ? 'pass' : 'fail',
    observed: manifests !== undefined ? `own manifests: ${manifests}` : (seen ?? 'none in the plan'),
    expected: 'pooler.image or pooler.manifests in the plan',
  });
  return named ? undefined : { cause: NO_IMAGE.cause, hint: NO_IMAGE.hint };
}

/** Every service of the plan: it is there, it reaches PostgreSQL directly, and it can be moved as it is now. */
function services(ctx: StepContext, found: Discovery): StepFailure | undefined {
  const planned = ctx.fleet.services();
  const skipped = planned.filter((service) => service.skip !== undefined);
  const wanted = planned.filter((service) => service.skip === undefined);
  const blocked: Record<string, string> = {};
  const staysDirect: Record<string, string> = {};
  const pooledBefore: Record<string, string> = {};
  const warnings = new Map<string, string[]>();
  for (const service of wanted) {
    const workload = found.workloads.find((one) => one.id === workloadIdOf(service));
    if (workload) {
      const reasons = blockersOf(ctx.plan, workload);
      if (reasons.length > 0) blocked[service.name] = reasons.join(' ');
      for (const finding of workload.findings) {
        if (finding.severity === 'warn')
          warnings.set(finding.text, [...(warnings.get(finding.text) ?? []), service.name]);
      }
      const direct = workload.consumers.filter((one) => one.role === 'init').map((one) => one.container);
      if (direct.length > 0) staysDirect[service.name] = [...new Set(direct)].join(', ');
      continue;
    }
    const other = found.notConsumers.find((one) => one.workload.id === workloadIdOf(service));
    // Moved by an earlier run, or by hand: nothing is left to do for it, and nothing of it is this run's to take back.
    if (other?.pooled) pooledBefore[service.name] = other.reason;
    else blocked[service.name] = other ? other.reason : 'not found';
  }
  // Once each, with everybody it is true of: thirty services that say the same are one thing to know.
  // What it is about comes first: of a long list of names a narrow line shows nothing else.
  for (const [text, of] of warnings) ctx.message('warn', `${text} (${of.join(', ')})`);
  const names = Object.keys(blocked);
  const told = byReason(blocked)
    .map(([reason, of]) => `${of.join(', ')}: ${reason}`)
    .join('; ');
  const there = Object.keys(pooledBefore);
  const movable = wanted.length - names.length - there.length;
  // Without a terminal the policy says beforehand whether to go on without them; a human says so by waiving this step.
  const goOn = names.length > 0 && movable + there.length > 0 && ctx.policy?.onBlocked === 'skip';
  const left = skipped.map((service) => `${service.name} (${service.skip})`).join(', ');
  ctx.evidence({
    check: 'services of the plan',
    verdict: names.length > 0 && !goOn ? 'fail' : 'pass',
    observed: `${movable} of ${planned.length} can be switched${names.length > 0 ? `; ${goOn ? 'left out' : 'not as they are'}: ${names.join(', ')}` : ''}${there.length > 0 ? `; on the pooler already: ${there.join(', ')}` : ''}${left ? `; left out by the plan: ${left}` : ''}`,
    expected: 'every service exists, reaches PostgreSQL directly (or the pooler already), and can be moved as it is',
    data: {
      scanned: found.scanned,
      blocked: names,
      pooledBefore: there,
      skipped: skipped.map((service) => service.name),
    },
  });
  for (const name of names) {
    ctx.evidence({
      check: `service ${name}`,
      verdict: goOn ? 'pass' : 'fail',
      observed: `${goOn ? 'left out: ' : ''}${blocked[name]}`,
    });
  }
  ctx.fact('blocked', blocked);
  ctx.fact('staysDirect', staysDirect);
  ctx.fact('pooledBefore', pooledBefore);
  for (const name of there) {
    ctx.serviceState(name, 'pooled');
    ctx.message(
      'info',
      `${name}: ${pooledBefore[name]}. This run only proves it; the run that moved it can take it back.`,
    );
  }
  if (goOn) for (const name of names) ctx.message('warn', `${name} is left out: ${blocked[name]}`);
  const others = found.workloads.filter(
    (one) => !planned.some((service) => workloadIdOf(service) === one.id) && one.ref.name !== ctx.plan.pooler.name,
  );
  if (others.length > 0)
    ctx.message('warn', `reach PostgreSQL but are not in the plan: ${others.map((one) => one.id).join(', ')}`);
  // What is missing altogether blocks its service above; the rest may hold an address that nobody here can see.
  const unseen = found.unexplained.filter((one) => !names.some((name) => one.workload.endsWith(`/${name}`)));
  if (unseen.length > 0) {
    const listed = unseen.map((one) => `${one.workload} (${one.reason})`);
    ctx.message('warn', `may reach PostgreSQL, and could not be judged: ${listed.join(', ')}`);
  }
  const consumers = found.workloads.filter((one) => planned.some((service) => workloadIdOf(service) === one.id));
  ctx.fact('replicas', Object.fromEntries(consumers.map((one) => [one.ref.name, one.replicas])));
  if (names.length === 0 || goOn) return undefined;
  return {
    cause: `${names.length} ${names.length === 1 ? 'service' : 'services'} can't be switched as ${names.length === 1 ? 'it is' : 'they are'}: ${told}`,
    hint:
      movable + there.length > 0
        ? 'Mend them and retry; or waive this with a reason (--on-blocked skip without a terminal, `skip` in the plan): the others move, and these stay on PostgreSQL.'
        : 'Mend them, then retry.',
  };
}

/** Who has the same reason, once each: a database that is down makes one reason of thirty. */
function byReason(blocked: Readonly<Record<string, string>>): [string, string[]][] {
  const out = new Map<string, string[]>();
  for (const [name, reason] of Object.entries(blocked)) out.set(reason, [...(out.get(reason) ?? []), name]);
  return [...out];
}

function owners(ctx: StepContext, found: Discovery): void {
  const planned = new Set(ctx.fleet.services().map(workloadIdOf));
  const fights = found.workloads.filter((one) => planned.has(one.id) && one.manager.class === 'WILL_REVERT_NOW');
  const later = found.workloads.filter((one) => planned.has(one.id) && one.manager.class === 'WILL_REVERT_LATER');
  // Those that would be reverted at once are blocked one by one (above); here is the whole picture.
  const now = fights.map((one) => `${one.id}: ${one.manager.managers.join(', ')} reverts at once, not moved`);
  const then = later.map((one) => `${one.ref.name} (${one.manager.managers.join(', ')})`);
  ctx.evidence({
    check: 'who else writes these workloads',
    verdict: 'pass',
    observed:
      [
        ...now,
        ...(then.length > 0 ? [`reverted later, unless the source is changed too: ${then.join(', ')}`] : []),
      ].join('; ') || 'nobody reverts the change',
    expected: 'no manager that takes the change back',
  });
}

/** What is written in the workloads against who is connected: a consumer nobody can see stays on PostgreSQL unnoticed. */
async function whoConnects(ctx: StepContext, found: Discovery, session: Postgres): Promise<void> {
  const clients = await readClients(session);
  const seen = clients.ok ? await crossCheck(ctx.kube, ctx.fleet.namespace, found, clients.value, ctx.signal) : clients;
  if (!seen.ok) {
    ctx.message('warn', `who is connected could not be compared with the workloads: ${seen.error.message}`);
    return;
  }
  const odd = unexplainedClients(seen.value, ctx.plan.pooler.name);
  ctx.evidence({
    check: 'connected clients explained',
    verdict: 'pass',
    observed: `${seen.value.byWorkload.size} workloads connected${odd.length > 0 ? `; not explained by any address that can be seen: ${odd.join('; ')}` : ', all of them known'}`,
    data: { unexplained: odd },
  });
  if (odd.length > 0) ctx.message('warn', `connected, and nothing here explains it: ${odd.join('; ')}`);
}

/** PostgreSQL: reachable, room, hazards. */
async function database(ctx: StepContext, found: Discovery): Promise<StepFailure | undefined> {
  let password = takeRolePassword(ctx, found);
  if (!password.ok) {
    // A fleet that is on the pooler already: its addresses there hold the same password.
    const pooled = await ctx.fleet.discoverPooled(ctx.signal);
    if (pooled.ok && takeRolePassword(ctx, pooled.value).ok) password = ok(undefined);
  }
  if (!password.ok) {
    ctx.evidence({ check: 'password of the role', verdict: 'fail', observed: password.error.message });
    return { cause: password.error.message, hint: password.error.next?.join(' ') ?? '' };
  }
  ctx.waitingFor('a session in PostgreSQL');
  const own = await ctx.pooler.postgres();
  if (!own.ok && own.error.code === 'auth-failed') {
    const why = await explainRefusal(ctx, own.error.message);
    ctx.evidence({ check: 'PostgreSQL', verdict: 'fail', observed: why.cause, expected: 'a login of the role' });
    return why;
  }
  const session = own.ok ? await ctx.pooler.inspector() : own;
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
  await whoConnects(ctx, found, session.value);
  const capacity = await readCapacity(session.value, {
    role: ctx.plan.postgres.role,
    database: ctx.plan.postgres.database,
  });
  const activity = await lookAtPostgres(ctx);
  if (!capacity.ok || !activity.ok) {
    const error = !capacity.ok ? capacity.error : (activity as Extract<Result<never>, { ok: false }>).error;
    ctx.evidence({ check: 'connection arithmetic', verdict: 'inconclusive', observed: error.message });
    return undefined;
  }
  await rememberImage(ctx);
  const closed = roleFindings(ctx, capacityFindings(capacity.value));
  const version = parseVersion(assumedPoolerVersion(ctx.plan));
  if (!version.ok) return { cause: version.error.message, hint: '' };
  const sizing = computeSizing({
    maxConnections: capacity.value.maxConnections,
    superuserReserved: capacity.value.superuserReserved,
    reservedConnections: capacity.value.reservedConnections,
    poolerReplicas: ctx.plan.pooler.replicas,
    poolerVersion: version.value,
    peakDirect: activity.value.directTotal,
    otherSessions: activity.value.other,
    services: found.workloads.map((one) => ({ name: one.ref.name, replicas: one.replicas, appPool: 16 })),
    roleConnectionLimit: capacity.value.roleConnectionLimit,
    databaseConnectionLimit: capacity.value.databaseConnectionLimit,
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
    arithmetic: [...sizing.arithmetic],
    findings: sizing.findings.map((one) => ({
      id: one.id,
      severity: one.severity,
      title: one.title,
      detail: one.detail,
    })),
  });
  ctx.fact('postgres', {
    version: capacity.value.serverVersion,
    maxConnections: capacity.value.maxConnections,
    storedAs: capacity.value.storedAs ?? 'unknown',
  });
  ctx.evidence({
    check: 'connection arithmetic',
    verdict: blocks.length > 0 ? 'fail' : 'pass',
    observed:
      blocks.length > 0
        ? blocks.map((one) => one.detail).join('; ')
        : `${ctx.plan.pooler.replicas} poolers x ${sizing.maxDbConnections} = ${sizing.expectedServerConnections} of ${capacity.value.maxConnections}; ${activity.value.directTotal} direct now`,
    expected: 'room for all poolers beside the services that are not switched yet',
    data: { arithmetic: [...sizing.arithmetic] },
  });
  for (const one of sizing.findings) if (one.severity === 'warn') ctx.message('warn', `${one.title}: ${one.detail}`);
  const hazard = await hazards(ctx, found, session.value, version.value);
  const block = blocks[0];
  if (closed) return closed;
  return block
    ? { cause: `${block.title}: ${block.detail}`, hint: block.fix ?? 'Lower the pool sizes of the plan.' }
    : hazard;
}

/** An official PostgreSQL image in the cluster has pgbench; a distribution's own (operators, cloud) may not. */
async function rememberImage(ctx: StepContext): Promise<void> {
  const name = ctx.pooler.postgresPod;
  const pod = name ? await ctx.kube.get(ref('Pod', ctx.fleet.namespace, name), { signal: ctx.signal }) : undefined;
  const images: string[] = pod?.ok
    ? (pod.value.spec?.containers ?? []).map((one: { image?: string }) => one.image ?? '')
    : [];
  const image = images.find((one) => /(^|\/)postgres(:|@|$)/.test(one));
  if (image) ctx.fact('postgresImage', image);
}

/** What about the role and the database stops a pooler whatever the arithmetic says. */
function roleFindings(ctx: StepContext, findings: ReturnType<typeof capacityFindings>): StepFailure | undefined {
  const [block, ...more] = findings.filter((one) => one.severity === 'block');
  ctx.evidence({
    check: 'role and database',
    verdict: block ? 'fail' : 'pass',
    observed:
      findings.length > 0
        ? findings.map((one) => `${one.title} (${one.detail})`).join('; ')
        : `${ctx.plan.postgres.role} may log in, ${ctx.plan.postgres.database} takes connections`,
    expected: 'LOGIN, not expired, connections allowed',
  });
  for (const one of findings) if (one.severity === 'warn') ctx.message('warn', `${one.title}: ${one.detail}`);
  if (!block) return undefined;
  return {
    cause: [block, ...more].map((one) => `${one.title}: ${one.detail}`).join('; '),
    hint: block.fix ? `${block.fix}; then retry.` : 'Mend it in PostgreSQL, then retry.',
  };
}

async function hazards(
  ctx: StepContext,
  found: Discovery,
  session: Parameters<typeof findHazards>[0],
  poolerVersion: Parameters<typeof findHazards>[1]['poolerVersion'],
): Promise<StepFailure | undefined> {
  ctx.waitingFor('what transaction pooling would break, from the live database');
  const owners = await ctx.fleet.podOwners(ctx.signal);
  const known = driversOf(found.workloads);
  ctx.fact('drivers', Object.fromEntries([...known].map(([name, { driver }]) => [name, driver])));
  const report = await findHazards(session, {
    podIps: owners.ok ? owners.value : new Map(),
    role: ctx.plan.postgres.role,
    database: ctx.plan.postgres.database,
    poolerVersion,
    // An address that turns prepared statements off is no hazard, whatever the driver does by default.
    drivers: new Map([...known].filter(([, { prepares }]) => prepares).map(([name, { driver }]) => [name, driver])),
  });
  if (!report.ok) {
    ctx.evidence({ check: 'transaction pooling hazards', verdict: 'inconclusive', observed: report.error.message });
    return undefined;
  }
  // Before a pooler runs its version may be a guess; p1.prepare looks again when it is known.
  const guessed = (one: (typeof report.value.findings)[number]) =>
    one.id === 'named-prepared-statements' && !isPoolerVersionTold(ctx.plan);
  const blocks = report.value.findings.filter((one) => one.severity === 'block' && !guessed(one));
  const warns = report.value.findings.filter((one) => one.severity === 'warn' || guessed(one));
  const heldBack: Record<string, string[]> = {};
  for (const one of blocks)
    for (const name of one.services ?? []) heldBack[name] = [...(heldBack[name] ?? []), one.title];
  ctx.fact('heldBack', heldBack);
  const looked = report.value.looked.filter((one) => one.state === 'done').map((one) => one.check);
  const blind = report.value.looked
    .filter((one) => one.state === 'not-possible')
    .map((one) => `${one.check} (${one.note})`);
  ctx.evidence({
    check: 'transaction pooling hazards',
    verdict: blocks.length > 0 ? 'fail' : 'pass',
    observed:
      blocks.length > 0
        ? blocks.map((one) => `${one.title}${one.services?.length ? ` (${one.services.join(', ')})` : ''}`).join('; ')
        : `${warns.length} warnings; looked at ${looked.length} sources${blind.length > 0 ? `, not possible: ${blind.join(', ')}` : ''}`,
    expected: 'nothing that needs a session of its own',
    data: {
      looked,
      notPossible: blind,
      findings: report.value.findings.map((one) => `${one.severity}: ${one.title}: ${one.detail}`),
      heldBack,
      drivers: [...known].map(([name, { driver }]) => `${name}: ${DRIVERS[driver].title}`),
    },
  });
  for (const one of warns) ctx.message('warn', `${one.title}: ${one.detail}${one.fix ? ` ${one.fix}` : ''}`);
  const names = Object.keys(heldBack);
  if (ctx.policy?.onBlocked === 'skip') {
    // A hazard that belongs to certain services keeps those on PostgreSQL; one of the whole database stops everything.
    for (const name of names) ctx.message('warn', `${name} is left out: ${heldBack[name]!.join('; ')}`);
    const already = (ctx.state().facts.blocked ?? {}) as Record<string, string>;
    ctx.fact('blocked', {
      ...already,
      ...Object.fromEntries(
        names.map((name) => [name, [already[name], ...heldBack[name]!].filter(Boolean).join('; ')]),
      ),
    });
  }
  const stopping = ctx.policy?.onBlocked === 'skip' ? blocks.filter((one) => !one.services?.length) : blocks;
  if (stopping.length === 0) return undefined;
  return {
    cause: stopping.map((one) => `${one.title}: ${one.detail}`).join('; '),
    hint: `${names.length > 0 ? `Holds back ${names.join(', ')}. ` : ''}${stopping.map((one) => one.fix ?? '').join(' ')}`,
  };
}
