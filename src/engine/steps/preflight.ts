/** Before anything is written: can this run end well here, and where would it stop? */
import type { ContainerRole, Discovery, Workload } from '../kube/workload-types.ts';
import { checkPlanAgainst } from '../plan/check.ts';
import { ok } from '../result.ts';
import { checkCertificates } from './certificates.ts';
import { blockersOf } from './eligibility.ts';
import { judgeOwn, ownManifests } from './own-manifests.ts';
import { checkPermissions } from './permissions.ts';
import { NO_IMAGE, poolerImage, workloadIdOf } from './plan-facts.ts';
import { database } from './preflight-database.ts';
import { networkPolicies } from './preflight-network.ts';
import { findStalePasswords, type StalePasswords } from './stale-passwords.ts';
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
    note(await image(ctx));
    ctx.waitingFor('every workload of the namespace');
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
    note(await checkCertificates(ctx, found.value));
    ctx.waitingFor('whether PostgreSQL takes the passwords that the addresses hold');
    note(services(ctx, found.value, await findStalePasswords(ctx, found.value)));
    owners(ctx, found.value);
    await networkPolicies(ctx, found.value);
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
async function image(ctx: StepContext): Promise<StepFailure | undefined> {
  const { manifests } = ctx.plan.pooler;
  const seen = poolerImage(ctx);
  const named = manifests !== undefined || seen !== undefined;
  ctx.evidence({
    check: 'image of PgBouncer',
    verdict: named ? 'pass' : 'fail',
    observed: manifests !== undefined ? `own manifests: ${manifests}` : (seen ?? 'none in the plan'),
    expected: 'pooler.image or pooler.manifests in the plan',
  });
  if (!named) return { cause: NO_IMAGE.cause, hint: NO_IMAGE.hint };
  const own = await ownManifests(ctx);
  if (own.ok) return own.value && judgeOwn(ctx, own.value);
  const { message, cause, next } = own.error;
  ctx.evidence({ check: 'own manifests', verdict: 'fail', observed: message });
  return { cause: cause ? `${message}: ${cause}` : message, hint: next?.join(' ') ?? 'Correct the files.' };
}

/** Every service of the plan: it is there, it reaches PostgreSQL directly, and it can be moved as it is now. */
function services(ctx: StepContext, found: Discovery, stale: StalePasswords): StepFailure | undefined {
  const planned = ctx.fleet.services();
  const skipped = planned.filter((service) => service.skip !== undefined);
  const wanted = planned.filter((service) => service.skip === undefined);
  const reasonsOf: Record<string, readonly string[]> = {};
  const staysDirect: Record<string, string> = {};
  const pooledBefore: Record<string, string> = {};
  const warnings = new Map<string, string[]>();
  for (const service of wanted) {
    const workload = found.workloads.find((one) => one.id === workloadIdOf(service));
    if (workload) {
      const reasons = [...blockersOf(ctx.plan, workload), ...(stale.blocked.get(workload.id) ?? [])];
      if (reasons.length > 0) reasonsOf[service.name] = reasons;
      for (const finding of workload.findings) {
        if (finding.severity === 'warn')
          warnings.set(finding.text, [...(warnings.get(finding.text) ?? []), service.name]);
      }
      const direct = whatStaysDirect(workload);
      if (direct !== undefined) staysDirect[service.name] = direct;
      continue;
    }
    const other = found.notConsumers.find((one) => one.workload.id === workloadIdOf(service));
    // Moved by an earlier run, or by hand: nothing is left to do for it, and nothing of it is this run's to take back.
    if (other?.pooled) pooledBefore[service.name] = other.reason;
    else reasonsOf[service.name] = [other ? other.reason : 'not found'];
  }
  for (const text of stale.warnings) ctx.message('warn', text);
  // Once each, with everybody it is true of: thirty services that say the same are one thing to know.
  // What it is about comes first: of a long list of names a narrow line shows nothing else.
  for (const [text, of] of warnings) ctx.message('warn', `${text} (${of.join(', ')})`);
  const names = Object.keys(reasonsOf);
  const blocked = Object.fromEntries(Object.entries(reasonsOf).map(([name, reasons]) => [name, reasons.join(' ')]));
  const told = byReason(reasonsOf)
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

/** The containers whose address is left alone, and why; undefined when there are none. */
function whatStaysDirect({ consumers }: Workload): string | undefined {
  const names = (role: ContainerRole) =>
    [...new Set(consumers.filter((one) => one.role === role).map((one) => one.container))].join(', ');
  const [init, tools] = [names('init'), names('tool')];
  const told = [
    ...(init === ''
      ? []
      : [
          `init container ${init} stays direct, because transaction pooling breaks the locks and settings that migrations use`,
        ]),
    ...(tools === '' ? [] : [`container ${tools} stays direct, because it talks to the server itself`]),
  ];
  return told.length === 0 ? undefined : told.join('; ');
}

/** Who has the same reason, once each, what most have first: a database that is down makes one reason of thirty. */
function byReason(reasonsOf: Readonly<Record<string, readonly string[]>>): [string, string[]][] {
  const out = new Map<string, string[]>();
  for (const [name, reasons] of Object.entries(reasonsOf))
    for (const reason of reasons) out.set(reason, [...(out.get(reason) ?? []), name]);
  return [...out].sort(([, a], [, b]) => b.length - a.length);
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
        ...(fights.length + later.length > 0 ? ['in the files they come from: pgb-wizard manifests --dir DIR'] : []),
      ].join('; ') || 'nobody reverts the change',
    expected: 'no manager that takes the change back',
  });
}
