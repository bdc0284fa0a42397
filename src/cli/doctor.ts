/** `doctor`: from logs and complaints to causes. The knowledge is the engine's; this collects the texts. */
import { readFile } from 'node:fs/promises';
import { type Examination, examine, type Found } from '../engine/doctor/examine.ts';
import { type Fix, planFix } from '../engine/doctor/fixes.ts';
import { connectKube } from '../engine/kube/connect.ts';
import { showLease } from '../engine/kube/lease.ts';
import { listOf } from '../engine/kube/refs.ts';
import type { Kube, KubeObject } from '../engine/kube/types.ts';
import { diagnose } from '../engine/pgbouncer/diagnosis.ts';
import type { LoadedPlan } from '../engine/plan/load-types.ts';
import { EXIT, fail, ok, type Result } from '../engine/result.ts';
import { realClock } from '../engine/run/clock.ts';
import type { DoctorFinding } from '../engine/run/model.ts';
import { stateDir } from '../engine/run/paths.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { Fleet } from '../engine/steps/fleet.ts';
import { ensureSecrets } from '../engine/steps/p1-credentials.ts';
import { PoolerPorts } from '../engine/steps/pooler-ports.ts';
import type { RunSecrets } from '../engine/steps/run-secrets.ts';
import type { LookContext } from '../engine/steps/types.ts';
import type { Invocation } from './command.ts';
import type { doctorFlags } from './commands/doctor.ts';
import { diffText } from './diff-text.ts';
import { hasTerminal, type Io, write } from './io.ts';
import { envelope, isMachine, print } from './output.ts';
import { findRun } from './runs.ts';
import { kubeOptions, planOf } from './session.ts';
import { version } from './version.ts';

/** Lines of each log; older ones speak of other days. */
const TAIL = 500;

/** Texts that were looked at, and those that could not be. */
interface Texts {
  readonly texts: readonly string[];
  readonly looked: readonly string[];
  readonly missed: readonly string[];
}

type Doctor = Invocation<typeof doctorFlags>;

export async function doctor(invocation: Doctor): Promise<Result<number>> {
  const { values, io } = invocation;
  if (values.log !== undefined) {
    if (values.fix !== undefined) return fail('usage', '--fix works on a cluster, --log on a text.');
    const read = await fromLog(values.log, io);
    if (!read.ok) return read;
    const { texts, looked, missed } = read.value;
    return report(invocation, { findings: diagnose(texts), looked, missed });
  }
  return inCluster(invocation);
}

async function report(
  { values, io, command }: Doctor,
  {
    findings,
    looked,
    missed,
  }: { findings: readonly (DoctorFinding | Found)[]; looked: readonly string[]; missed: readonly string[] },
): Promise<Result<number>> {
  const exitCode = findings.length > 0 ? EXIT.failed : EXIT.done;
  if (isMachine(values.output)) {
    await print(
      io,
      values.output,
      envelope(command, findings.length > 0 ? 'findings' : 'done', exitCode, { findings, looked, missed }),
    );
  } else {
    for (const what of missed) await write(io.stderr, `could not look at ${what}\n`);
    await write(
      io.stdout,
      findings.length > 0 ? findingsText(findings) : `nothing known to be wrong in ${looked.join(', ') || 'nothing'}\n`,
    );
  }
  return ok(exitCode);
}

async function fromLog(path: string, io: Io): Promise<Result<Texts>> {
  if (path === '-') {
    if (io.stdin.isTTY) return fail('usage', '--log - reads a pipe, and standard input is a terminal.');
    let text = '';
    for await (const chunk of io.stdin) text += chunk;
    return ok({ texts: [text], looked: ['standard input'], missed: [] });
  }
  try {
    return ok({ texts: [await readFile(path, 'utf8')], looked: [path], missed: [] });
  } catch (error) {
    return fail('not-found', `--log: ${sanitiseLine(path)} cannot be read: ${(error as NodeJS.ErrnoException).code}.`, {
      exitCode: EXIT.usage,
    });
  }
}

async function inCluster(invocation: Doctor): Promise<Result<number>> {
  const { values, io, signal } = invocation;
  const plan = await planOf(values.plan);
  if (!plan.ok) return plan;
  const options = kubeOptions(values, plan.value.plan.namespace);
  const clock = realClock();
  const kube = await connectKube({ ...options, clock, toolVersion: version, signal });
  if (!kube.ok) return kube;
  const { namespace } = kube.value.ref;
  const secrets: RunSecrets = { others: new Map() };
  const closing = new AbortController();
  const alive = AbortSignal.any([signal, closing.signal]);
  const pooler = new PoolerPorts({
    kube: kube.value,
    plan: plan.value.plan,
    namespace,
    secrets,
    clock,
    signal: alive,
    everyMs: 2000,
    onSample: () => undefined,
  });
  const ctx: LookContext = {
    kube: kube.value,
    plan: plan.value.plan,
    fleet: new Fleet(kube.value, plan.value.plan, namespace),
    pooler,
    secrets,
    signal,
  };
  try {
    const logs = await logsOf(kube.value, plan.value, signal);
    if (!logs.ok) return logs;
    const missed = [...logs.value.missed];
    const known = await ensureSecrets(ctx);
    if (!known.ok) missed.push(`passwords: ${known.error.message}`);
    const run = findRun(stateDir(io.env), values.run);
    // No run on this machine is no trouble: the cluster has been looked at. What a finished step saw is no complaint.
    const complaints = run.ok
      ? run.value.state.steps
          .filter((step) => step.state === 'fail' || step.state === 'inconclusive')
          .flatMap((step) => [step.cause ?? '', ...step.evidence.map((one) => one.observed)])
      : [];
    const seen: Examination = await examine(ctx, [...logs.value.texts, ...complaints]);
    if (values.fix !== undefined) return await makeFix(invocation, ctx, values.fix);
    return await report(invocation, {
      findings: seen.findings,
      looked: [...seen.looked, ...logs.value.looked],
      missed: [...seen.missed, ...missed],
    });
  } finally {
    closing.abort(new Error('the doctor is done'));
    await pooler.close();
    kube.value.close();
  }
}

/** Diff, confirmation, change, proof. Not while somebody's run holds the lock: two hands on one pooler are one too many. */
async function makeFix(invocation: Doctor, ctx: LookContext, id: Fix['id']): Promise<Result<number>> {
  const { values, io, command, signal } = invocation;
  const lease = await showLease(ctx.kube, ctx.fleet.namespace, signal);
  if (!lease.ok) return lease;
  if (lease.value && lease.value.holder !== '') {
    return fail(
      'locked',
      `A run of ${sanitiseLine(lease.value.holder.split('#')[0] ?? '')} holds the lock of this namespace.`,
      {
        next: ['Leave that run first, or make the fix in it.', 'pgb-wizard lock show'],
      },
    );
  }
  const fix = await planFix(id, ctx);
  if (!fix.ok) return fix;
  const name = `${ctx.kube.ref.context}/${ctx.fleet.namespace}`;
  const out = isMachine(values.output) ? io.stderr : io.stdout;
  await write(out, fixText(fix.value));
  if (values.confirm === undefined) {
    if (isMachine(values.output) || !hasTerminal(io)) {
      return fail('answer-needed', 'A fix without a terminal needs its confirmation.', {
        next: [`Add --confirm ${name}.`],
      });
    }
    const { askTyped } = await import('./prompts.ts');
    const agreed = await askTyped(`Type ${name} to make this change:`, [name]);
    if (!agreed.ok) return agreed;
  } else if (values.confirm !== name) {
    return fail('usage', `--confirm says ${sanitiseLine(values.confirm)}, and this is ${name}.`);
  }
  const proof = await fix.value.apply();
  if (!proof.ok) return proof;
  const after = await examine(ctx);
  const left = after.findings.filter((one) => one.fixId === id);
  const exitCode = left.length === 0 ? EXIT.done : EXIT.failed;
  if (isMachine(values.output)) {
    await print(
      io,
      values.output,
      envelope(command, exitCode === EXIT.done ? 'fixed' : 'findings', exitCode, {
        fix: id,
        summary: fix.value.summary,
        proof: proof.value,
        findings: after.findings,
        looked: after.looked,
        missed: after.missed,
      }),
    );
  } else {
    await write(io.stdout, `done: ${fix.value.summary}\nproof: ${proof.value}\n`);
    if (after.findings.length > 0) await write(io.stdout, `\nstill seen:\n\n${findingsText(after.findings)}`);
  }
  return ok(exitCode);
}

const fixText = (fix: Fix): string =>
  [
    fix.summary,
    ...diffText(fix.diff).map((line) => `  ${line}`),
    ...fix.commands.map((line) => `  $ ${line}`),
    '',
  ].join('\n');

/** Logs of every pod of the pooler and of the plan's services; of restarted containers also the log before. */
async function logsOf(kube: Kube, plan: LoadedPlan, signal: AbortSignal): Promise<Result<Texts>> {
  const { namespace } = kube.ref;
  const pods = await kube.list(listOf('Pod', namespace), { signal });
  if (!pods.ok) return pods;
  const names = [
    plan.plan.pooler.name,
    ...plan.plan.phases.flatMap((phase) => phase.services.map((service) => service.name)),
  ];
  const wanted = pods.value.items.filter((pod) =>
    names.some((name) => String(pod.metadata.name).startsWith(`${name}-`)),
  );
  const texts: string[] = [];
  const looked: string[] = [];
  const missed: string[] = [];
  for (const pod of wanted) {
    for (const { container, previous } of containersOf(pod)) {
      const what = `${pod.metadata.name}/${container}${previous ? ' before its restart' : ''}`;
      const log = await kube.logs(namespace, pod.metadata.name, { container, tail: TAIL, previous, signal });
      if (log.ok) {
        texts.push(log.value);
        looked.push(what);
      } else missed.push(`${what}: ${log.error.message}`);
    }
  }
  if (wanted.length === 0) missed.push(`pods of ${names[0]} and the services: there are none in ${namespace}`);
  return ok({ texts, looked: looked.length > 3 ? [`${looked.length} logs of ${wanted.length} pods`] : looked, missed });
}

function containersOf(pod: KubeObject): { container: string; previous: boolean }[] {
  const statuses: { name: string; restartCount?: number }[] = pod.status?.containerStatuses ?? [];
  return statuses.flatMap(({ name, restartCount = 0 }) => [
    { container: name, previous: false },
    ...(restartCount > 0 ? [{ container: name, previous: true }] : []),
  ]);
}

/** The findings for people: symptom, cause, check, fix. */
export function findingsText(findings: readonly (DoctorFinding | Found)[]): string {
  const rows = (finding: DoctorFinding | Found) => [
    finding.symptom,
    `  cause  ${finding.cause}`,
    `  check  ${finding.check}`,
    `  seen   ${finding.observed}`,
    `  fix    ${finding.fix}`,
    ...('fixId' in finding && finding.fixId ? [`         pgb-wizard doctor --fix ${finding.fixId}`] : []),
  ];
  return `${findings.map((finding) => rows(finding).join('\n')).join('\n\n')}\n`;
}
