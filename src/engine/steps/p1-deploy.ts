/** Guide 1.3: the pooler's objects, rendered for the version that runs, or the operator's own manifests. */

import { fingerprint } from '../kube/fingerprint.ts';
import { ref, refOf } from '../kube/refs.ts';
import { followRollout, templateOf } from '../kube/rollout.ts';
import type { KubeObject } from '../kube/types.ts';
import { type ObjectChange, objectChange } from '../manifests/object-diff.ts';
import { PATHS, parseVersion, renderHba, renderIni } from '../pgbouncer/config.ts';
import type { PoolerSettings } from '../pgbouncer/config-types.ts';
import { poolerObjects } from '../pgbouncer/manifests.ts';
import type { PgBouncerVersion } from '../pgbouncer/types.ts';
import { parseDuration } from '../plan/duration.ts';
import { rolesByDatabase, rolesOf } from '../plan/logins.ts';
import type { Plan } from '../plan/schema.ts';
import { fail, ok, type Result, type WizardError } from '../result.ts';
import type { DiffLine } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { shellWord } from '../shell-word.ts';
import { authQueryOf } from './arrangement.ts';
import { podReady } from './looks.ts';
import { judgeOwn, ownManifests, warningsOf } from './own-manifests.ts';
import { ensureSecrets } from './p1-credentials.ts';
import { assumedPoolerVersion, NO_IMAGE, poolerImage } from './plan-facts.ts';
import type { Step, StepContext } from './types.ts';
import { egressPorts, findUpstream, type Upstream, upstreamHost } from './upstream.ts';

/** An image may have to be pulled over a slow line first. */
const ROLLOUT_LIMIT_MS = 300_000;
/** Minor version of the API server that knows `preStop.sleep` by itself. */
const NATIVE_SLEEP_FROM = 30;

/** Sizes computed at preflight; the plan's own, or small safe ones, when PostgreSQL could not be asked. */
function sizes(ctx: StepContext) {
  const kept = ctx.state().facts.sizing as unknown as
    | {
        poolSize: number;
        minPoolSize: number;
        reservePool: number;
        maxClientConn: number;
        databases?: Readonly<Record<string, number>>;
      }
    | undefined;
  const { pooler } = ctx.plan;
  const poolSize = kept?.poolSize ?? pooler.poolSize ?? 10;
  return {
    poolSize,
    minPoolSize: kept?.minPoolSize ?? pooler.minPoolSize ?? Math.min(5, poolSize),
    reservePool: kept?.reservePool ?? pooler.reserve ?? 2,
    maxClientConn: kept?.maxClientConn ?? pooler.maxClientConn ?? 1000,
    databases: kept?.databases ?? {},
  };
}

function tlsSettings({ pooler: { tls } }: Plan): Pick<PoolerSettings, 'serverTls' | 'clientTls'> {
  return {
    ...(tls?.server
      ? { serverTls: { mode: tls.server.mode, ...(tls.server.ca ? { caFile: PATHS.serverCa } : {}) } }
      : {}),
    ...(tls?.client
      ? { clientTls: { mode: tls.client.mode, certFile: PATHS.clientCert, keyFile: PATHS.clientKey } }
      : {}),
  };
}

function settings(ctx: StepContext, host: string): PoolerSettings {
  const { plan } = ctx;
  const { maxClientConn, databases, ...pool } = sizes(ctx);
  const arrangement = ctx.state().facts.arrangement as { forcedUser?: boolean } | undefined;
  return {
    databases: [...rolesByDatabase(plan)].map(([database, roles]) => ({
      name: database,
      host,
      port: plan.postgres.port,
      dbname: database,
      users: roles,
      ...(arrangement?.forcedUser === false || roles.length > 1 ? {} : { forcedUser: roles[0]! }),
      ...pool,
      maxDbConnections: databases[database] ?? roles.length * (pool.poolSize + pool.reservePool),
    })),
    clientUsers: rolesOf(plan),
    adminUser: plan.pooler.adminUser,
    statsUser: plan.pooler.statsUser,
    maxClientConn,
    listenPort: plan.pooler.port,
    ...tlsSettings(plan),
    ...authQueryOf(ctx),
  };
}

/** The version to render for: what a running pooler said, else the assumption. */
function version(ctx: StepContext): Result<PgBouncerVersion> {
  const seen = ctx.state().facts.poolerVersion;
  return parseVersion(typeof seen === 'string' ? seen : assumedPoolerVersion(ctx.plan));
}

async function wanted(ctx: StepContext): Promise<Result<KubeObject[]>> {
  const { plan } = ctx;
  const own = await ownManifests(ctx);
  if (!own.ok) return own;
  if (own.value) return ok([...own.value.objects] as KubeObject[]);
  const image = poolerImage(ctx);
  if (!image) return fail('plan-invalid', NO_IMAGE.cause, { next: [NO_IMAGE.hint] });
  const exporterImage = plan.pooler.exporterImage ?? (ctx.rehearsal ? 'pgbouncer-exporter:rehearsal' : undefined);
  const running = version(ctx);
  if (!running.ok) return running;
  const upstream = await findUpstream({
    kube: ctx.kube,
    namespace: ctx.fleet.namespace,
    service: plan.postgres.service,
    port: plan.postgres.port,
    signal: ctx.signal,
  });
  const host = await hostOf(ctx, upstream);
  const config = settings(ctx, host);
  const server = await ctx.kube.version(ctx.signal);
  const old = server.ok && server.value.major === 1 && server.value.minor < NATIVE_SLEEP_FROM;
  return ok(
    poolerObjects({
      namespace: ctx.fleet.namespace,
      name: plan.pooler.name,
      image,
      ...(exporterImage ? { exporterImage } : {}),
      replicas: plan.pooler.replicas,
      version: running.value,
      ini: renderIni(running.value, config),
      hba: renderHba(config),
      userlistSecretName: plan.pooler.userlistSecret,
      ...(plan.pooler.tls?.server?.ca ? { serverCa: plan.pooler.tls.server.ca } : {}),
      ...(plan.pooler.tls?.client ? { clientTlsSecret: plan.pooler.tls.client.secret } : {}),
      port: plan.pooler.port,
      ...(plan.pooler.clientMaxLifetime
        ? { clientMaxLifetimeSeconds: Math.ceil((parseDuration(plan.pooler.clientMaxLifetime) ?? 0) / 1000) }
        : {}),
      ...(plan.pooler.networkPolicy
        ? {
            networkPolicy: {
              postgres: { ports: egressPorts(upstream) },
              ...(plan.pooler.prometheus ? { prometheusNamespace: plan.pooler.prometheus.namespace } : {}),
            },
          }
        : {}),
      ...(old ? { preStop: 'shell' as const } : {}),
      ...(plan.pooler.imagePullSecrets.length > 0 ? { imagePullSecrets: plan.pooler.imagePullSecrets } : {}),
      ...(plan.pooler.runAsUser === undefined ? {} : { runAsUser: plan.pooler.runAsUser }),
      serviceMonitor: plan.pooler.serviceMonitor,
      ...(plan.pooler.labels ? { labels: plan.pooler.labels } : {}),
      ...(plan.pooler.annotations ? { annotations: plan.pooler.annotations } : {}),
    }) as KubeObject[],
  );
}

/** Kept for the run: the ConfigMap's name follows from its content, and a resume must render the same. */
async function hostOf(ctx: StepContext, upstream: Upstream): Promise<string> {
  const kept = ctx.state().facts.upstreamHost;
  if (typeof kept === 'string') return kept;
  const found = ctx.fleet.discovery ? ok(ctx.fleet.discovery) : await ctx.fleet.discover(ctx.signal);
  const host = upstreamHost(
    ctx.plan.postgres.service,
    ctx.fleet.namespace,
    upstream.isService,
    found.ok ? found.value : undefined,
  );
  ctx.fact('upstreamHost', host);
  return host;
}

/** A policy of the cluster may want more of an object than the wizard writes by itself. */
function withWaysToComply(error: WizardError): Result<never> {
  if (error.code !== 'not-authorised' && error.code !== 'invalid-object') return { ok: false, error };
  const way =
    'What a policy demands of the poolers can be said in the plan: pooler.labels, pooler.annotations, pooler.runAsUser; or bring your own objects (pooler.manifests). A changed plan needs a new run: --fresh.';
  return { ok: false, error: { ...error, next: [...(error.next ?? []), way] } };
}

/** What the server says would be there, against what is there. */
async function compare(ctx: StepContext, object: KubeObject): Promise<Result<ObjectChange>> {
  const where = refOf(object);
  if (!where)
    return fail(
      'plan-invalid',
      `the manifests hold a kind the wizard does not apply: ${sanitiseLine(object.kind, 60)}`,
    );
  const live = await ctx.kube.get(where, { signal: ctx.signal });
  if (!live.ok && live.error.code !== 'not-found') return live;
  const dry = await ctx.kube.apply(where, object, { dryRun: true, signal: ctx.signal });
  if (!dry.ok) return ctx.plan.pooler.manifests ? dry : withWaysToComply(dry.error);
  return ok(objectChange(live.ok ? live.value : undefined, dry.value, object));
}

export const deploy: Step = {
  info: {
    id: 'p1.deploy',
    guide: '1.3',
    title: 'Deploy PgBouncer',
    phase: 'p1',
    kind: 'change',
    why: 'ConfigMap, Deployment with exporter, Service, disruption budget and network policy; the configuration is rendered for the PgBouncer version that runs it.',
  },
  async plan(ctx) {
    // The files may have changed since the preflight read them.
    const own = await ownManifests(ctx);
    if (!own.ok) return own;
    const blocks = own.value?.findings.filter((one) => one.severity === 'block') ?? [];
    if (blocks.length > 0) {
      return fail('plan-invalid', `the manifests in ${ctx.plan.pooler.manifests} would not carry the services`, {
        cause: blocks.map((one) => `${one.title} (${one.detail})`).join('; '),
        next: blocks.map((one) => one.fix ?? '').filter((fix) => fix !== ''),
      });
    }
    const objects = await wanted(ctx);
    if (!objects.ok) return objects;
    const diff: DiffLine[] = [];
    let changes = 0;
    for (const object of objects.value) {
      ctx.waitingFor(`a dry run of ${object.kind} ${object.metadata.name}`);
      const compared = await compare(ctx, object);
      if (!compared.ok) return compared;
      if (compared.value.kind !== 'same') changes++;
      diff.push(...compared.value.diff);
    }
    const arithmetic = (ctx.state().facts.sizing as { arithmetic?: string[] } | undefined)?.arithmetic ?? [];
    return ok({
      summary: `apply ${objects.value.length} objects of PgBouncer (${ctx.plan.pooler.replicas} pods)`,
      diff: [...arithmetic.map((text): DiffLine => ({ kind: 'note', text })), ...diff],
      commands: [
        `kubectl apply --server-side --field-manager=pgb-wizard -n ${ctx.fleet.namespace} -f ${ctx.plan.pooler.manifests ? shellWord(ctx.plan.pooler.manifests) : '-  # these objects on standard input'}`,
      ],
      ...(own.value && own.value.findings.length > 0 ? { warnings: warningsOf(own.value) } : {}),
      departures: ctx.plan.pooler.manifests
        ? []
        : [
            'Without a warm-up PgBouncer before 1.21 opens no server connection until the first client comes: sv_idle = 10 is not waited for.',
          ],
      alreadyDone: changes === 0,
    });
  },
  async apply(ctx) {
    const first = await applyAll(ctx);
    if (!first.ok) return first;
    // The running pooler says its version; a newer one gets the keys that only it knows.
    if (ctx.plan.pooler.version !== 'auto' || ctx.plan.pooler.manifests) return ok(undefined);
    const rendered = version(ctx);
    const up = await waitForPods(ctx);
    if (!up.ok || !rendered.ok) return ok(undefined);
    const running = await askVersion(ctx);
    if (!running || running === rendered.value.text) return ok(undefined);
    ctx.message('info', `PgBouncer ${running} runs; its configuration is rendered for that version`);
    ctx.fact('poolerVersion', running);
    return applyAll(ctx);
  },
  async verify(ctx) {
    const ready = await ensureSecrets(ctx);
    if (!ready.ok) return ready;
    const own = await ownManifests(ctx);
    if (!own.ok) return own;
    const failure = own.value && judgeOwn(ctx, own.value);
    if (failure) return ok({ verdict: 'fail', failure });
    const rolled = await waitForPods(ctx);
    if (!rolled.ok) return rolled;
    const pods = await ctx.pooler.pods(ctx.signal);
    if (!pods.ok) return pods;
    for (const pod of pods.value) {
      const live = await ctx.kube.get(ref('Pod', ctx.fleet.namespace, pod.name), { signal: ctx.signal });
      if (!live.ok) return live;
      const statuses: { ready: boolean }[] = live.value.status?.containerStatuses ?? [];
      const up = statuses.filter((one) => one.ready).length;
      ctx.evidence({
        check: `pod ${pod.name}`,
        verdict: podReady(live.value) && up === statuses.length && up > 0 ? 'pass' : 'fail',
        observed: `${up}/${statuses.length} Ready`,
        expected: `${statuses.length}/${statuses.length} Ready`,
      });
    }
    const enough = pods.value.filter((pod) => pod.ready).length >= ctx.plan.pooler.replicas;
    if (!enough) {
      return ok({
        verdict: 'fail',
        failure: {
          cause: `${pods.value.filter((pod) => pod.ready).length} of ${ctx.plan.pooler.replicas} pooler pods are ready`,
          hint: 'Look at their events and logs; mend the configuration and retry.',
        },
      });
    }
    ctx.pooler.watch();
    return ok({ verdict: 'pass' });
  },
};

async function applyAll(ctx: StepContext): Promise<Result<void>> {
  const objects = await wanted(ctx);
  if (!objects.ok) return objects;
  for (const object of objects.value) {
    const where = refOf(object);
    if (!where)
      return fail(
        'plan-invalid',
        `the manifests hold a kind the wizard does not apply: ${sanitiseLine(object.kind, 60)}`,
      );
    ctx.waitingFor(`the API server to take ${object.kind} ${object.metadata.name}`);
    const sent = await ctx.call(
      {
        verb: 'apply',
        target: { kind: where.kind, namespace: ctx.fleet.namespace, name: where.name },
        direction: 'forward',
      },
      async (auditId) => {
        const answer = await ctx.kube.apply(where, object, { auditId });
        return answer.ok ? ok({ facts: { resourceVersion: String(answer.value.metadata.resourceVersion) } }) : answer;
      },
    );
    if (!sent.ok) return sent;
  }
  return ok(undefined);
}

/** Waits for the pooler's own rollout; gives the evidence, and an error with cause and log lines when it fails. */
async function waitForPods(ctx: StepContext): Promise<Result<void>> {
  const own = await ownManifests(ctx);
  if (!own.ok) return own;
  const name = own.value?.pooler?.workload.name ?? ctx.plan.pooler.name;
  const where = ref('Deployment', ctx.fleet.namespace, name);
  const live = await ctx.kube.get(where, { signal: ctx.signal });
  if (!live.ok) return live;
  const target = fingerprint(templateOf(live.value));
  const verdict = await followRollout(ctx.kube, where, {
    uid: live.value.metadata.uid,
    match: (template) => (fingerprint(template) === target ? 'target' : 'other'),
    limitMs: ROLLOUT_LIMIT_MS,
    until: 'available',
    clock: ctx.clock,
    signal: ctx.signal,
    onProgress: (update) => {
      ctx.rollout(name, update.progress);
      ctx.waitingFor(update.waitingFor, ROLLOUT_LIMIT_MS, update.progress.elapsedMs);
    },
  });
  if (verdict.outcome === 'aborted') return fail('aborted', 'interrupted');
  const good = verdict.outcome === 'available' || verdict.outcome === 'drained';
  ctx.evidence({
    check: `rollout of ${name}`,
    verdict: good ? 'pass' : 'fail',
    observed: good ? `${verdict.message}, ${(verdict.elapsedMs / 1000).toFixed(1)} s` : verdict.message,
    data: { events: [...verdict.events].slice(-10), log: [...verdict.logTail].slice(-20) },
  });
  if (good) return ok(undefined);
  ctx.logLines(verdict.pod ?? name, verdict.logTail);
  return fail('rollout-failed', `PgBouncer does not start: ${verdict.message}`, {
    cause: verdict.logTail.at(-1) ?? verdict.events.at(-1),
    next: [verdict.hint ?? 'Look at the pod log above; mend the plan or the manifests and retry.'],
  });
}

async function askVersion(ctx: StepContext): Promise<string | undefined> {
  const pods = await ctx.pooler.pods(ctx.signal);
  if (!pods.ok) return undefined;
  for (const pod of pods.value.filter((one) => one.ready)) {
    const console = await ctx.pooler.console(pod.name);
    const seen = await console?.version();
    if (seen?.ok) return seen.value.text;
  }
  return undefined;
}
