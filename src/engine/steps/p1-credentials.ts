/** Guide 1.1 and 1.2: passwords, an arrangement PgBouncer can really log in with, and the Secret that holds it. */
import { createHash } from 'node:crypto';
import { ref } from '../kube/refs.ts';
import type { KubeObject } from '../kube/types.ts';
import { parseUserlist, renderUserlist } from '../pgbouncer/credentials.ts';
import { EXPORTER_KEY, exporterConnection, poolerSecret, USERLIST_KEY } from '../pgbouncer/manifests.ts';
import { type Login, loginsOf, loginText, rolesOf } from '../plan/logins.ts';
import { fail, ok, type Result } from '../result.ts';
import { Secret } from '../secret.ts';
import { chooseForRun, LOOKUP_ROLE, prepareArrangement, roleEntries } from './arrangement.ts';
import { takeConsolePasswords, takeRolePassword } from './credentials-source.ts';
import { ownManifests } from './own-manifests.ts';
import { proofOf } from './password-proof.ts';
import { explainRefusal, NOT_THE_ONE, type RoleFacts, readRoleFacts } from './role-facts.ts';
import { learn, type RoleSecrets, rolesWithout, secretsOf } from './run-secrets.ts';
import type { LookContext, Step, StepContext, StepFailure } from './types.ts';

export const credentials: Step = {
  info: {
    id: 'p1.credentials',
    guide: '1.1',
    title: 'Credentials',
    phase: 'p1',
    kind: 'check',
    why: "The guide's freshly salted verifiers let clients in but not PgBouncer into PostgreSQL. An arrangement is chosen that works with what is known here; no password touches a command line or a file.",
  },
  async verify(ctx) {
    const { plan, secrets } = ctx;
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    const facts: (RoleFacts & { role: string })[] = [];
    for (const login of loginsOf(plan)) {
      const refused = await tryLogin(ctx, login);
      if (!refused.ok) return refused;
      if (refused.value) return ok({ verdict: 'fail', failure: refused.value });
      const seen = await readRoleFacts(ctx, login);
      const wrong = facts.some((one) => one.role === login.role) ? undefined : await judgePassword(ctx, login, seen);
      if (wrong) return ok({ verdict: 'fail', failure: wrong });
      facts.push({ ...seen, role: login.role });
      if (seen.problem)
        ctx.message('warn', `postgres.adminSecret could not be used: ${seen.problem}. The run goes on without it.`);
      if (seen.verifier) {
        ctx.evidence({
          check: `verifier of ${login.role} in pg_authid`,
          verdict: seen.matches === false ? 'fail' : 'pass',
          observed: `stored as ${seen.capacity?.storedAs ?? 'unknown'}${seen.matches === undefined ? '' : seen.matches ? ', made from this password' : ', made from another password'}`,
          expected: 'made from the password of the services',
        });
      }
    }
    const own = await ownManifests(ctx);
    if (!own.ok) return own;
    const arrangement = chooseForRun(ctx, facts, own.value?.pooler);
    if (!arrangement.ok) return arrangement;
    const { kind, explanation, forcedUser, rejected } = arrangement.value;
    ctx.fact('arrangement', { kind, forcedUser, explanation });
    ctx.evidence({
      check: 'arrangement',
      verdict: 'pass',
      observed: `${kind}: ${explanation}`,
      data: { rejected: rejected.map((one) => `${one.kind}: ${one.why}`) },
    });
    ctx.evidence({
      check: 'console users',
      verdict: 'pass',
      observed: `${plan.pooler.adminUser} ${secrets.adminFrom}, ${plan.pooler.statsUser} ${secrets.statsFrom}`,
    });
    return ok({ verdict: 'pass' });
  },
};

/** A login past the pooler. Answers with the failure when PostgreSQL refuses it; nothing when it can't be tried yet. */
async function tryLogin(ctx: StepContext, login: Login): Promise<Result<StepFailure | undefined>> {
  ctx.waitingFor(`a login of ${login.role} in PostgreSQL`);
  const check = `login of ${loginText(login)}`;
  const session = await ctx.pooler.postgres(login);
  if (session.ok) {
    const who = await session.value.query('select current_user::text as who');
    ctx.evidence({
      check,
      verdict: who.ok ? 'pass' : 'fail',
      observed: who.ok ? `logged in as ${who.value[0]?.who}` : who.error.message,
    });
    return who.ok ? ok(undefined) : who;
  }
  if (session.error.code === 'auth-failed') {
    const why = await explainRefusal(ctx, session.error.message, login);
    ctx.evidence({ check, verdict: 'fail', observed: why.cause });
    return ok(why);
  }
  ctx.message(
    'warn',
    `the password of ${login.role} could not be tried against PostgreSQL yet: ${session.error.message}. It is proved through the pooler at p1.connectivity.`,
  );
  return ok(undefined);
}

/** Is the password the role's? A login tells only where PostgreSQL asked for it. Answers with the failure when it is not. */
async function judgePassword(ctx: StepContext, login: Login, seen: RoleFacts): Promise<StepFailure | undefined> {
  const session = await ctx.pooler.postgres(login);
  const { password, from } = secretsOf(ctx.secrets, ctx.plan, login.role);
  if (!session.ok || !password) return undefined;
  const told = seen.matches === undefined ? undefined : seen.matches ? 'taken' : 'refused';
  const proof = told ?? (await proofOf(session.value, login.role, password));
  if (proof === 'unknown') {
    ctx.message(
      'warn',
      `PostgreSQL let ${login.role} in without asking for a password (trust in pg_hba.conf for connections from inside of its pod): the password, ${from}, is proved through the pooler at p1.connectivity.`,
    );
    return undefined;
  }
  const taken = proof === 'taken';
  ctx.evidence({
    check: `password of ${login.role}`,
    verdict: taken ? 'pass' : 'fail',
    observed: `${from}`,
    expected: 'the one PostgreSQL knows',
  });
  if (taken) return undefined;
  return {
    cause: `PostgreSQL refuses ${login.role}: the password ${from} is not the one whose verifier pg_authid holds`,
    hint: NOT_THE_ONE,
  };
}

/** Fills in what is missing of the run's passwords: after a resume they are read from the cluster's Secret again. */
export async function ensureSecrets(ctx: LookContext): Promise<Result<void>> {
  const { plan, secrets } = ctx;
  const live = await readSecret(ctx);
  if (!live.ok) return live;
  const stored = live.value ? storedPasswords(ctx, live.value) : { roles: new Map<string, RoleSecrets>() };
  if (stored.lookup) secrets.lookup ??= stored.lookup;
  for (const [role, { password, verifier }] of stored.roles) {
    const known = secretsOf(secrets, plan, role);
    if (verifier && !known.verifier) learn(secrets, plan, role, { verifier });
    if (password && !known.password)
      learn(secrets, plan, role, { password, from: `in the Secret ${plan.pooler.userlistSecret}` });
  }
  if (rolesWithout(secrets, plan).length > 0) {
    const found = ctx.fleet.discovery ? ok(ctx.fleet.discovery) : await ctx.fleet.discover(ctx.signal);
    if (!found.ok) return found;
    const taken = await takeRolePassword(ctx, found.value);
    if (!taken.ok) {
      // Every service is switched, and the Secret holds no clear password: their addresses still do.
      const pooled = await ctx.fleet.discoverPooled(ctx.signal);
      if (!pooled.ok || !(await takeRolePassword(ctx, pooled.value)).ok) return taken;
    }
  }
  const taken = takeConsolePasswords(ctx, stored);
  if (taken.ok) known.add(secrets);
  return taken;
}

/** Sessions whose passwords are known. */
const known = new WeakSet<LookContext['secrets']>();

/** As `ensureSecrets`, for what comes again and again: a session that has read its passwords looks at no Secret for them. */
export const knowSecrets = async (ctx: LookContext): Promise<Result<void>> =>
  known.has(ctx.secrets) ? ok(undefined) : ensureSecrets(ctx);

export async function readSecret(ctx: LookContext): Promise<Result<KubeObject | undefined>> {
  const found = await ctx.kube.get(ref('Secret', ctx.fleet.namespace, ctx.plan.pooler.userlistSecret), {
    signal: ctx.signal,
  });
  if (found.ok) return found;
  return found.error.code === 'not-found' ? ok(undefined) : found;
}

const isOurs = (object: KubeObject): boolean =>
  object.metadata.labels?.['app.kubernetes.io/managed-by'] === 'pgb-wizard';

/** A userlist that somebody else made may be the only copy of its passwords, and a pooler may be living on it: never replaced. */
export function notForeign(live: KubeObject | undefined): Result<void> {
  if (!live || isOurs(live)) return ok(undefined);
  const { name } = live.metadata;
  return fail('already-exists', `Secret ${name} exists already and was not made by pgb-wizard`, {
    next: [
      `See who uses it: kubectl describe secret ${name}`,
      'Name another one in the plan (pooler.userlistSecret); or keep a copy, delete it, and retry.',
    ],
  });
}

const decode = (object: KubeObject, key: string): string | undefined => {
  const data: unknown = object.data?.[key];
  return typeof data === 'string' ? Buffer.from(data, 'base64').toString('utf8') : undefined;
};

interface Stored {
  readonly admin?: Secret;
  readonly stats?: Secret;
  readonly lookup?: Secret;
  readonly roles: ReadonlyMap<string, RoleSecrets>;
}

/** Passwords of a Secret that an earlier session of the wizard wrote. A verifier is no password and kept as what it is. */
function storedPasswords(ctx: LookContext, object: KubeObject): Stored {
  const none: Stored = { roles: new Map() };
  if (!isOurs(object)) return none;
  const text = decode(object, USERLIST_KEY);
  const parsed = text === undefined ? undefined : parseUserlist(text);
  if (!parsed?.ok) return none;
  const of = (user: string, kind: 'plaintext' | 'scram') =>
    parsed.value.find((entry) => entry.user === user && entry.kind === kind)?.secret;
  const admin = of(ctx.plan.pooler.adminUser, 'plaintext');
  const stats = of(ctx.plan.pooler.statsUser, 'plaintext');
  const lookup = of(LOOKUP_ROLE, 'plaintext');
  const roles = rolesOf(ctx.plan).map((role): [string, RoleSecrets] => {
    const password = of(role, 'plaintext');
    const verifier = of(role, 'scram');
    return [role, { ...(password ? { password } : {}), ...(verifier ? { verifier } : {}) }];
  });
  return {
    ...(lookup ? { lookup } : {}),
    ...(admin ? { admin } : {}),
    ...(stats ? { stats } : {}),
    roles: new Map(roles),
  };
}

/** The Secret this run wants. */
function wanted(ctx: StepContext): Result<KubeObject> {
  const { plan, secrets } = ctx;
  if (rolesWithout(secrets, plan).length > 0 || !secrets.admin || !secrets.stats) {
    return fail('secret-missing', 'a password of the userlist is not known', { next: ['Run p1.credentials again.'] });
  }
  return ok(
    poolerSecret({
      namespace: ctx.fleet.namespace,
      name: plan.pooler.userlistSecret,
      userlist: renderUserlist([
        ...roleEntries(ctx),
        { user: plan.pooler.adminUser, secret: secrets.admin },
        { user: plan.pooler.statsUser, secret: secrets.stats },
      ]),
      exporterConnection: new Secret(
        exporterConnection(
          plan.pooler.statsUser,
          secrets.stats,
          plan.pooler.port,
          plan.pooler.tls?.client?.mode === 'require' ? 'require' : 'disable',
        ),
      ),
      labels: { ...plan.pooler.labels, 'app.kubernetes.io/managed-by': 'pgb-wizard' },
      ...(plan.pooler.annotations ? { annotations: plan.pooler.annotations } : {}),
    }) as KubeObject,
  );
}

const digest = (object: KubeObject): string => {
  const hash = createHash('sha256');
  for (const key of Object.keys(object.data ?? {}).sort()) hash.update(`${key}\0${object.data[key]}\0`);
  return hash.digest('hex').slice(0, 16);
};

const describe = (object: KubeObject): string[] =>
  Object.entries((object.data ?? {}) as Record<string, string>).map(
    ([key, value]) => `${key}: ${Buffer.from(value, 'base64').length} bytes`,
  );

export const secret: Step = {
  info: {
    id: 'p1.secret',
    guide: '1.2',
    title: 'Secret pgbouncer-userlist',
    phase: 'p1',
    kind: 'change',
    why: 'The userlist lives in a Secret that only the pooler mounts. It is checked by digest; names and byte counts are shown, never the content.',
  },
  async plan(ctx) {
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    const notes = await prepareArrangement(ctx, 'look');
    if (!notes.ok) return notes;
    const target = wanted(ctx);
    if (!target.ok) return target;
    const live = await readSecret(ctx);
    if (!live.ok) return live;
    const name = ctx.plan.pooler.userlistSecret;
    const free = notForeign(live.value);
    if (!free.ok) return free;
    const same = live.value !== undefined && digest(live.value) === digest(target.value);
    return ok({
      summary: `${live.value ? 'update' : 'create'} Secret ${name}`,
      alreadyDone: same && notes.value.length === 0,
      diff: [
        ...notes.value.map((text) => ({ kind: 'add' as const, text })),
        ...(live.value && !same ? describe(live.value).map((text) => ({ kind: 'remove' as const, text })) : []),
        ...describe(target.value).map((text) => ({ kind: same ? ('context' as const) : ('add' as const), text })),
      ],
      commands: [
        `kubectl create secret generic ${name} --from-file=userlist.txt=/dev/stdin -n ${ctx.fleet.namespace}   # content on standard input, never on the command line`,
      ],
      departures: [
        'The guide writes passwords on the command line and userlist.txt to disk, prints both, and fails when it is run a second time. Here they go from memory to the API server.',
      ],
    });
  },
  async apply(ctx) {
    const prepared = await prepareArrangement(ctx, 'change');
    if (!prepared.ok) return prepared;
    const target = wanted(ctx);
    if (!target.ok) return target;
    const name = ctx.plan.pooler.userlistSecret;
    const where = ref('Secret', ctx.fleet.namespace, name);
    const sent = await ctx.call(
      { verb: 'apply', target: { kind: 'Secret', namespace: ctx.fleet.namespace, name }, direction: 'forward' },
      async (auditId) => {
        const live = await readSecret(ctx);
        if (!live.ok) return live;
        if (live.value && digest(live.value) === digest(target.value)) return ok({ facts: { unchanged: true } });
        const free = notForeign(live.value);
        if (!free.ok) return free;
        const answer = live.value
          ? await ctx.kube.replace(
              where,
              {
                ...target.value,
                metadata: { ...target.value.metadata, resourceVersion: live.value.metadata.resourceVersion },
              },
              { auditId },
            )
          : await ctx.kube.create(where, target.value, { auditId });
        return answer.ok ? ok({ facts: { replaced: live.value !== undefined } }) : answer;
      },
    );
    return sent.ok ? ok(undefined) : sent;
  },
  async verify(ctx) {
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    const prepared = await prepareArrangement(ctx, 'look');
    if (!prepared.ok) return prepared;
    const target = wanted(ctx);
    if (!target.ok) return target;
    const live = await readSecret(ctx);
    if (!live.ok) return live;
    const same = live.value !== undefined && digest(live.value) === digest(target.value);
    ctx.evidence({
      check: `Secret ${ctx.plan.pooler.userlistSecret}`,
      verdict: same ? 'pass' : 'fail',
      observed: live.value
        ? `${describe(live.value).join(', ')}; ${same ? 'digest as written' : 'another digest than written'}`
        : 'not there',
      expected: `${USERLIST_KEY} and ${EXPORTER_KEY} as written`,
    });
    return ok({ verdict: same ? 'pass' : 'fail' });
  },
};
