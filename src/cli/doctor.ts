/** `doctor`: from logs and complaints to causes. The knowledge is the engine's; this collects the texts. */
import { readFile } from 'node:fs/promises';
import { connectKube } from '../engine/kube/connect.ts';
import { listOf } from '../engine/kube/refs.ts';
import type { Kube, KubeObject } from '../engine/kube/types.ts';
import { diagnose } from '../engine/pgbouncer/diagnosis.ts';
import type { LoadedPlan } from '../engine/plan/load-types.ts';
import { EXIT, fail, ok, type Result } from '../engine/result.ts';
import { realClock } from '../engine/run/clock.ts';
import type { DoctorFinding } from '../engine/run/model.ts';
import { stateDir } from '../engine/run/paths.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import type { Invocation } from './command.ts';
import type { doctorFlags } from './commands/doctor.ts';
import { type Io, write } from './io.ts';
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

export async function doctor(invocation: Invocation<typeof doctorFlags>): Promise<Result<number>> {
  const { values, io, command } = invocation;
  const collected = values.log === undefined ? await fromCluster(invocation) : await fromLog(values.log, io);
  if (!collected.ok) return collected;
  const { texts, looked, missed } = collected.value;
  const findings = diagnose(texts);
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

async function fromCluster({ values, io, signal }: Invocation<typeof doctorFlags>): Promise<Result<Texts>> {
  const plan = await planOf(values.plan);
  if (!plan.ok) return plan;
  const options = kubeOptions(values, plan.value.plan.namespace);
  const kube = await connectKube({ ...options, clock: realClock(), toolVersion: version, signal });
  if (!kube.ok) return kube;
  try {
    const logs = await logsOf(kube.value, plan.value, signal);
    if (!logs.ok) return logs;
    const run = findRun(stateDir(io.env), values.run);
    // No run on this machine is no trouble: the cluster has been looked at.
    const complaints = run.ok
      ? run.value.state.steps.flatMap((step) => [step.cause ?? '', ...step.evidence.map((one) => one.observed)])
      : [];
    return ok({ ...logs.value, texts: [...logs.value.texts, ...complaints] });
  } finally {
    kube.value.close();
  }
}

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
export function findingsText(findings: readonly DoctorFinding[]): string {
  const rows = (finding: DoctorFinding) => [
    finding.symptom,
    `  cause  ${finding.cause}`,
    `  check  ${finding.check}`,
    `  seen   ${finding.observed}`,
    `  fix    ${finding.fix}`,
  ];
  return `${findings.map((finding) => rows(finding).join('\n')).join('\n\n')}\n`;
}
