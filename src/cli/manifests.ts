/** `manifests`: the edits of a run, or of one to come, in the files that the workloads are made from. */
import { connectKube } from '../engine/kube/connect.ts';
import { listRuns } from '../engine/kube/run-state.ts';
import type { Kube } from '../engine/kube/types.ts';
import { WAYS_TO_KEEP_A_SECRET } from '../engine/manifests/owned-objects.ts';
import { placeText } from '../engine/manifests/place.ts';
import { planManifests } from '../engine/manifests/plan.ts';
import type { ManifestPlan } from '../engine/manifests/types.ts';
import { type Wanted, wantedOfPlan, wantedOfRun } from '../engine/manifests/wanted.ts';
import { writeManifests } from '../engine/manifests/write.ts';
import { planFromJournal } from '../engine/plan/load.ts';
import type { Plan } from '../engine/plan/schema.ts';
import { EXIT, fail, ok, type Result } from '../engine/result.ts';
import { realClock } from '../engine/run/clock.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import type { Invocation } from './command.ts';
import type { manifestsFlags } from './commands/manifests.ts';
import { write } from './io.ts';
import { envelope, isMachine, print, table } from './output.ts';
import { outcomeOf } from './render-error.ts';
import { kubeOptions, planOf } from './session.ts';
import { suggestion } from './values.ts';
import { version } from './version.ts';

/** Stands for the id of a run that has none yet: such names are looked at and never written. */
const NO_RUN = 'xxxxxxxx';

type Values = Invocation<typeof manifestsFlags>['values'];

export async function manifests({
  values,
  io,
  signal,
  command,
}: Invocation<typeof manifestsFlags>): Promise<Result<number>> {
  const wrong = wrongFlags(values);
  if (!wrong.ok) return wrong;
  const loaded = await planOf(values.plan);
  if (!loaded.ok) return loaded;
  const options = { ...kubeOptions(values, loaded.value.plan.namespace), clock: realClock(), toolVersion: version };
  const kube = await connectKube({ ...options, signal });
  if (!kube.ok) return kube;
  try {
    const source = await sourceOf(kube.value, values, loaded.value.plan, signal);
    if (!source.ok) return source;
    const { plan, runId, wanted } = source.value;
    const { namespace } = kube.value.ref;
    const found = await planManifests({
      dir: wrong.value,
      namespace,
      changes: wanted.changes,
      direction: values.revert ? 'back' : 'forward',
      target: wanted.target,
      to: { host: plan.pooler.name, port: plan.pooler.port },
      shared: values.shared,
      signal,
    });
    if (!found.ok) return found;
    if (values.write && runId === NO_RUN && wanted.changes.some((one) => one.objects.length > 0)) {
      return fail(
        'answer-needed',
        'The new Secrets and ConfigMaps bear the id of their run, and there is no run yet.',
        {
          next: [
            'Give the run its id beforehand: --run-id with 8 of a-z and 0-9, and the same one with `pgb-wizard run`.',
            'Or write after p1.prepare of a run: pgb-wizard manifests --run ID --write',
          ],
        },
      );
    }
    const written = values.write ? writeManifests(found.value) : ok(undefined);
    if (!written.ok) return written;
    const exitCode = found.value.workloads.some(({ state }) => STOPPED.has(state)) ? EXIT.gateFailed : EXIT.done;
    const run = runId === NO_RUN ? {} : { runId };
    if (isMachine(values.output)) {
      const head = envelope(command, outcomeOf(exitCode), exitCode, run);
      await print(io, values.output, {
        ...head,
        written: values.write,
        ...publicPlan(found.value),
        without: wanted.without,
      });
    } else {
      await write(io.stdout, manifestsText(found.value, wanted.without));
      await write(io.stderr, lastWord(found.value, values, runId));
    }
    return ok(exitCode);
  } finally {
    kube.value.close();
  }
}

const STOPPED = new Set(['differs', 'ambiguous', 'by-hand']);

/** The folder, when the flags go together. */
function wrongFlags(values: Values): Result<string> {
  if (values.dir === undefined) {
    return fail('answer-needed', 'Say where the manifests are: --dir DIR.', {
      next: ['A folder of a working tree, such as the clone that Argo CD or Flux reads from.'],
    });
  }
  if (values.run !== undefined && values.runId !== undefined) {
    return fail(
      'usage',
      '--run takes the changes of a run and --run-id names one to come; they cannot be given together.',
    );
  }
  if (values.revert && values.runId !== undefined) {
    return fail('usage', '--revert goes back to what a run has kept; --run-id names one that has kept nothing yet.');
  }
  return ok(values.dir);
}

interface Source {
  readonly plan: Plan;
  readonly runId: string;
  readonly wanted: Wanted;
}

/** The changes: of the run that was named, else of the newest one here, else as a run would plan them now. */
async function sourceOf(kube: Kube, values: Values, plan: Plan, signal: AbortSignal): Promise<Result<Source>> {
  const { namespace } = kube.ref;
  const request = { namespace, only: values.service, signal };
  if (values.runId === undefined) {
    const runs = await listRuns(kube, namespace, signal);
    if (!runs.ok && (values.run !== undefined || values.revert || runs.error.code !== 'not-authorised')) return runs;
    const all = runs.ok ? runs.value : [];
    // A run that was taken back as a whole has nothing to say about where the files should lead.
    const newest = all.find((one) => values.revert || one.ledger.status !== 'ended' || hasPooled(one.ledger.data));
    const run = values.run === undefined ? newest : all.find((one) => one.runId === values.run);
    if (values.run !== undefined && run === undefined) {
      const ids = all.map((one) => one.runId);
      return fail('not-found', `Run ${values.run} is not in namespace ${namespace}.${suggestion(values.run, ids)}`, {
        exitCode: EXIT.usage,
        next: ['Is this the right context and namespace?'],
      });
    }
    if (run !== undefined) {
      const data = run.ledger.data as { readonly plan?: unknown };
      const own = planFromJournal(data.plan, run.ledger.planHash);
      if (!own.ok) return own;
      const known = unknownService(own.value.plan, values.service);
      if (!known.ok) return known;
      const wanted = await wantedOfRun(kube, { ...request, plan: own.value.plan, runId: run.runId });
      if (wanted.ok) return ok({ plan: own.value.plan, runId: run.runId, wanted: wanted.value });
      // Cut off before it kept anything: what it would make has names of its id all the same.
      if (wanted.error.code !== 'not-found' || values.revert) return wanted;
      const planned = await wantedOfPlan(kube, { ...request, plan: own.value.plan, runId: run.runId });
      return planned.ok ? ok({ plan: own.value.plan, runId: run.runId, wanted: planned.value }) : planned;
    }
    if (values.revert) {
      return fail('not-found', `The namespace ${namespace} keeps no run, and so no original address.`, {
        exitCode: EXIT.usage,
        next: ['Take the files back with Git.'],
      });
    }
  }
  const known = unknownService(plan, values.service);
  if (!known.ok) return known;
  const runId = values.runId ?? NO_RUN;
  const wanted = await wantedOfPlan(kube, { ...request, plan, runId });
  return wanted.ok ? ok({ plan, runId, wanted: wanted.value }) : wanted;
}

const hasPooled = (data: { readonly services?: unknown }): boolean =>
  Object.values((data.services ?? {}) as Record<string, unknown>).includes('pooled');

function unknownService(plan: Plan, services: readonly string[]): Result<void> {
  const names = plan.phases.flatMap((phase) => phase.services.map((service) => service.name));
  const unknown = services.find((one) => !names.includes(one));
  return unknown === undefined
    ? ok(undefined)
    : fail('usage', `The plan has no service ${unknown}.${suggestion(unknown, names)}`);
}

/** Everything but the texts of the files. */
const publicPlan = ({ files, root: _, ...rest }: ManifestPlan) => ({
  ...rest,
  files: files.map(({ before: _before, after: _after, ...file }) => file),
});

/** The table, the diffs, and what is left to do. */
export function manifestsText(plan: ManifestPlan, without: Readonly<Record<string, string>>): string {
  const rows = plan.workloads.map((one) => [
    one.id,
    WORDS[one.state],
    one.places.map(placeText).join(' ') || '-',
    one.detail,
  ]);
  const left = Object.entries(without).map(([name, why]) => [name, 'no change', '-', sanitiseLine(why, 200)]);
  const parts = [table([['WORKLOAD', 'STATE', 'PLACE', 'WHAT'], ...rows, ...left])];
  for (const file of plan.files) parts.push(`${file.diff.join('\n')}\n`);
  const todo = [
    ...bySentence(plan),
    ...secretLines(plan),
    ...plan.charts.map(
      (chart) =>
        `Helm chart ${sanitiseLine(chart || '.', 200)}: its templates are no YAML before they are rendered; change its values.`,
    ),
    ...plan.mentions.map((one) => `not edited: ${placeText(one)} ${one.what} = ${one.shown}`),
    ...plan.files
      .filter((one) => one.git === 'modified')
      .map((one) => `${sanitiseLine(one.path, 200)} has other changes that are not committed.`),
    ...plan.skipped.map((one) => `left out: ${sanitiseLine(one.path, 200)}: ${one.reason}`),
  ];
  if (todo.length > 0) parts.push(`${todo.map((line) => `- ${line}`).join('\n')}\n`);
  return parts.join('\n');
}

/** What is left to do, with everybody it is said of. */
function bySentence({ workloads }: ManifestPlan): string[] {
  const found = new Map<string, string[]>();
  for (const { id, next } of workloads) for (const one of next) found.set(one, [...(found.get(one) ?? []), id]);
  return [...found].map(([sentence, ids]) => `${ids.join(', ')}: ${sentence}`);
}

/** What each Secret needs, and once how one is kept that nothing in the folder makes. */
function secretLines({ secrets }: ManifestPlan): string[] {
  const alone = secrets.filter((one) => one.maker === undefined);
  const made = secrets.filter((one) => one.maker !== undefined).flatMap((one) => one.next);
  if (alone.length < 2)
    return [...alone.flatMap((one) => one.next), ...made, ...(alone[0] ? [WAYS_TO_KEEP_A_SECRET] : [])];
  const names = alone.map((one) => one.name).join(', ');
  return [
    `Secrets ${names} must be in the cluster before these manifests are applied. A run makes each when it switches its service; no file holds them.`,
    WAYS_TO_KEEP_A_SECRET,
    ...made,
  ];
}

const WORDS: Readonly<Record<ManifestPlan['workloads'][number]['state'], string>> = {
  change: 'change',
  done: 'as wanted',
  missing: 'no file',
  differs: 'DIFFERS',
  ambiguous: 'TWICE',
  'by-hand': 'BY HAND',
};

function lastWord(plan: ManifestPlan, values: Values, runId: string): string {
  const count = `${plan.files.length} ${plan.files.length === 1 ? 'file' : 'files'}`;
  if (plan.files.length === 0) return 'nothing to write\n';
  if (values.write) return `${count} written; look at them with git diff, then commit\n`;
  const run = runId === NO_RUN ? '; the names of new objects end with the id of the run, so give --run-id with it' : '';
  return `nothing was written: ${count} with --write${run}\n`;
}
