/** Guide 1.4: every pooler pod is asked itself, with a login, a query, a write that is taken back, and the pools as they really are. */
import { diagnose } from '../pgbouncer/diagnosis.ts';
import type { PgBouncerVersion } from '../pgbouncer/types.ts';
import { atLeast } from '../pgbouncer/version.ts';
import { type Login, loginsOf, loginText } from '../plan/logins.ts';
import { runCanary, runConstructs } from '../postgres/canary.ts';
import { fail, ok } from '../result.ts';
import type { PoolRow } from '../run/model.ts';
import { ensureSecrets } from './p1-credentials.ts';
import { lookAtPoolerLogs } from './pooler-logs.ts';
import { explainRefusal } from './role-facts.ts';
import type { Step, StepContext, StepFailure } from './types.ts';

export const connectivity: Step = {
  info: {
    id: 'p1.connectivity',
    guide: '1.4',
    title: 'Verify connectivity',
    phase: 'p1',
    kind: 'check',
    why: 'A port-forward to the Service tests one pooler of several; here each pod is asked. The console and readiness stay green even when PgBouncer cannot log in to PostgreSQL, so a query and a forced new login are what counts.',
  },
  async verify(ctx) {
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    const began = performance.now();
    ctx.pooler.watch();
    const pods = await ctx.pooler.pods(ctx.signal);
    if (!pods.ok) return pods;
    const up = pods.value.filter((pod) => pod.ready);
    if (up.length === 0) {
      return fail('pooler-unreachable', 'no pooler pod is ready', { next: ['Run p1.deploy again.'] });
    }
    for (const pod of up) {
      const cause = await lookAtPod(ctx, pod.name, pod === up[0]);
      if (cause) return ok({ verdict: 'fail', failure: await failureOf(ctx, pod.name, cause, began) });
    }
    return ok({ verdict: 'pass' });
  },
};

/**
 * A client hears `query_wait_timeout`, or nothing, while the pooler's log names the reason: the log's first diagnosis is
 * the cause, and where PostgreSQL refused the role the role itself is asked about.
 */
async function failureOf(ctx: StepContext, pod: string, { said, login }: Cause, began: number): Promise<StepFailure> {
  const logs = await lookAtPoolerLogs(ctx, (performance.now() - began) / 1000 + 30);
  const lines = logs.lines ?? [];
  const [found] = diagnose([said, ...lines]);
  const refusal =
    lines.find((line) => /server login failed/i.test(line)) ?? (/for user "/.test(said) ? said : undefined);
  const base = { logTail: lines, symptoms: [said, ...lines] };
  if (refusal) {
    const why = await explainRefusal(ctx, refusal, login);
    return { ...base, cause: `${pod}: ${why.cause}`, hint: why.hint };
  }
  return {
    ...base,
    cause: found ? `${pod}: ${found.symptom}: ${found.observed}` : `${pod}: ${said}`,
    hint:
      found?.fix ??
      'PgBouncer accepts clients only as far as it can log in to PostgreSQL: compare the password of the role, its HBA and the name of the host.',
  };
}

interface Cause {
  readonly said: string;
  /** Whose check it was, when it was one login's. */
  readonly login?: Login;
}

/** All checks of one pod; answers with the cause of the first failure. */
async function lookAtPod(ctx: StepContext, pod: string, first: boolean): Promise<Cause | undefined> {
  const { plan } = ctx;
  ctx.waitingFor(`the console of ${pod}`);
  const console = await ctx.pooler.console(pod);
  if (!console) {
    ctx.evidence({ check: `console of ${pod}`, verdict: 'fail', observed: 'no login' });
    return { said: 'the admin console refuses the login or does not answer' };
  }
  const version = await console.version();
  if (!version.ok) return { said: version.error.message };
  ctx.evidence({ check: `SHOW VERSION of ${pod}`, verdict: 'pass', observed: `PgBouncer ${version.value.text}` });
  ctx.fact('poolerVersion', version.value.text);

  const config = await console.config();
  if (!config.ok) return { said: config.error.message };
  const mode = config.value.get('pool_mode') ?? '?';
  ctx.evidence({
    check: `SHOW CONFIG of ${pod}`,
    verdict: mode === 'transaction' ? 'pass' : 'fail',
    observed: `pool_mode ${mode}, max_client_conn ${config.value.get('max_client_conn') ?? '?'}, max_prepared_statements ${config.value.get('max_prepared_statements') ?? 'not in this version'}`,
    expected: 'pool_mode transaction',
  });
  if (mode !== 'transaction') return { said: `pool_mode is ${mode}; a session pool saves no connection` };

  // Warm connections can hide a wrong password until they are recycled: only a login made now proves it. While no service
  // is a client, nobody notices.
  const clientsNow = await clientsOf(ctx, pod);
  const idle = clientsNow === 0;
  if (idle) {
    // The Secret may have changed since the process read it.
    const reloaded = await console.command('RELOAD');
    if (!reloaded.ok) return { said: `RELOAD: ${reloaded.error.message}` };
    const again = await console.command('RECONNECT');
    ctx.evidence({
      check: `new logins of ${pod} in PostgreSQL`,
      verdict: again.ok ? 'pass' : 'inconclusive',
      observed: again.ok ? 'RELOAD and RECONNECT: the query below needs a new login' : again.error.message,
      expected: 'no server connection from before the check is used for it',
    });
  } else if (clientsNow === undefined) {
    ctx.evidence({
      check: `new logins of ${pod} in PostgreSQL`,
      verdict: 'inconclusive',
      observed: 'not forced: its pools could not be read, so nobody knows whether a service uses them',
    });
  } else {
    ctx.message(
      'info',
      `${pod} has ${clientsNow} clients already: no new login was forced, and no construct was tried`,
    );
  }
  for (const login of loginsOf(plan)) {
    const bad = await lookThrough(ctx, pod, login, atLeast(version.value, 1, 21));
    if (bad !== undefined) return bad;
  }
  if (first && idle) {
    const setting = config.value.get('max_prepared_statements');
    await lookAtConstructs(ctx, pod, version.value, setting === undefined ? undefined : Number(setting));
    // What the canary prepared stays on server connections of a version that does not track it.
    const cleared = await console.command('RECONNECT');
    if (!cleared.ok) ctx.message('warn', `RECONNECT of ${pod}: ${cleared.error.message}`);
  }
  return undefined;
}

/** A query, a write that is taken back and the pools, as one of the logins that services use. Answers with the first cause. */
async function lookThrough(ctx: StepContext, pod: string, login: Login, warms: boolean): Promise<Cause | undefined> {
  // With one login there is nothing to tell apart.
  const as = loginsOf(ctx.plan).length > 1 ? ` as ${loginText(login)}` : '';
  ctx.waitingFor(`a query through ${pod}${as}`);
  const checks = await runCanary(() => ctx.pooler.throughPooler(pod, login), login);
  if (!checks.ok) {
    ctx.evidence({ check: `login through ${pod}${as}`, verdict: 'fail', observed: checks.error.message });
    const { message, cause } = checks.error;
    return { said: cause ? `${message}: ${cause}` : message, login };
  }
  for (const check of checks.value) {
    ctx.evidence({
      check: `${check.title} through ${pod}${as}`,
      verdict: check.verdict,
      observed: check.observed,
      expected: check.expected,
    });
  }
  const bad = checks.value.find((check) => check.verdict === 'fail');
  if (bad) return { said: `${bad.title}: ${bad.observed}`, login };
  // Before the constructs: the RECONNECT behind them closes what the canary opened.
  await lookAtPools(ctx, pod, warms, login);
  return undefined;
}

/** The pod's rows of a sample that begins now; undefined when it does not answer (old rows say nothing of now). */
async function rowsOf(ctx: StepContext, pod: string): Promise<readonly PoolRow[] | undefined> {
  const view = await ctx.pooler.sample();
  const answers = view?.poolers.some((one) => one.pod === pod && one.state === 'ok');
  return answers ? view?.rows.filter((row) => row.pod === pod) : undefined;
}

const clientsOf = async (ctx: StepContext, pod: string): Promise<number | undefined> =>
  (await rowsOf(ctx, pod))?.reduce((sum, row) => sum + row.clActive + row.clWaiting, 0);

/**
 * What a service would meet that prepares statements, changes settings or takes locks. The verdict says whether this
 * pooler behaves as its version should; what it means for a service is in the words.
 */
async function lookAtConstructs(
  ctx: StepContext,
  pod: string,
  version: PgBouncerVersion,
  maxPreparedStatements: number | undefined,
): Promise<void> {
  ctx.waitingFor(`what breaks in a transaction pool, through ${pod}`);
  const seen = await runConstructs(() => ctx.pooler.throughPooler(pod), version, maxPreparedStatements);
  if (!seen.ok) {
    ctx.evidence({
      check: `what breaks in a transaction pool, through ${pod}`,
      verdict: 'inconclusive',
      observed: seen.error.message,
    });
    return;
  }
  for (const { title, verdict, observed, expected } of seen.value)
    ctx.evidence({ check: `${title} through ${pod}`, verdict, observed, expected });
}

/** The guide waits for sv_idle = 10. Idle connections move to sv_used after 30 s, and before 1.21 none is opened ahead. */
async function lookAtPools(ctx: StepContext, pod: string, warms: boolean, login: Login): Promise<void> {
  const all = await rowsOf(ctx, pod);
  const rows = all?.filter((row) => row.database === login.database && row.user === login.role) ?? [];
  const sum = (of: (row: PoolRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const servers = sum((row) => row.svIdle + row.svUsed + row.svTested + row.svActive);
  ctx.evidence({
    check: `SHOW POOLS of ${pod}${loginsOf(ctx.plan).length > 1 ? `, ${login.database}/${login.role}` : ''}`,
    verdict: servers > 0 ? 'pass' : 'inconclusive',
    observed:
      all === undefined
        ? 'the console did not answer'
        : rows.length === 0
          ? 'no row of the database, although a query went through it'
          : `${servers} server connections (idle ${sum((row) => row.svIdle)}, used ${sum((row) => row.svUsed)}), ${sum((row) => row.clWaiting)} clients waiting`,
    expected: warms
      ? 'at least one after the query; min_pool_size within seconds'
      : 'at least one after the query (this version opens none ahead)',
  });
}
