/**
 * The files that the workloads are made from, beside the run (guide 1.5): shown at p1.prepare, written when the operator said
 * so, and led back with a service that goes back. What no file was edited for holds up no service, and neither does a file
 * that can't be led back: the run says so.
 */
import { workloadId } from '../kube/refs.ts';
import type { WorkloadChange } from '../kube/workload-types.ts';
import { diffLine } from '../manifests/object-diff.ts';
import { planManifests } from '../manifests/plan.ts';
import type { ManifestPlan, WantedChange } from '../manifests/types.ts';
import { targetOfPlan, wantedOf } from '../manifests/wanted.ts';
import { type WrittenFile, writeManifests } from '../manifests/write.ts';
import { fail, ok, type Result } from '../result.ts';
import type { ChangePreview, DiffLine, JsonValue } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { shellWord } from '../shell-word.ts';
import type { StepContext } from './types.ts';

/** What the journal keeps of the files: names and digests. */
interface ManifestFacts {
  readonly dir: string;
  /** `written`: by this run, in whichever session; otherwise it would be changed so. */
  readonly files: readonly {
    readonly path: string;
    readonly before: string;
    readonly after: string;
    readonly written: boolean;
  }[];
  /** Workloads that no file was edited for, and why. */
  readonly open: Readonly<Record<string, string>>;
  readonly services: readonly string[];
}

const factsOf = (ctx: StepContext): ManifestFacts | undefined =>
  ctx.state().facts.manifests as unknown as ManifestFacts | undefined;

/** The files of these changes; undefined when no folder was named. */
export async function manifestsFor(
  ctx: StepContext,
  changes: readonly WorkloadChange[],
  direction: 'forward' | 'back' = 'forward',
): Promise<Result<ManifestPlan | undefined>> {
  if (ctx.manifests === undefined) return ok(undefined);
  const { dir } = ctx.manifests;
  ctx.waitingFor(`the manifests in ${dir}`);
  const wanted: WantedChange[] = changes.filter((one) => !one.alreadyDone).map(wantedOf);
  const { namespace } = ctx.fleet;
  const target = await targetOfPlan(ctx.kube, ctx.plan, namespace, ctx.signal);
  if (!target.ok) return target;
  return planManifests({
    dir,
    namespace,
    changes: wanted,
    direction,
    target: target.value,
    to: { host: ctx.plan.pooler.name, port: ctx.plan.pooler.port },
    signal: ctx.signal,
  });
}

/** The part of a preview about files. Passwords are dots in it already. */
export function manifestPreview(
  plan: ManifestPlan | undefined,
  write: boolean,
): Required<Pick<ChangePreview, 'diff' | 'warnings' | 'departures'>> {
  if (!plan) return { diff: [], warnings: [], departures: [] };
  const diff: DiffLine[] = [
    {
      kind: 'title',
      text: `${plan.files.length} ${plan.files.length === 1 ? 'file' : 'files'} in ${plan.dir} ${write ? 'will be written' : 'would be changed; nothing is written'}`,
    },
    ...plan.files.flatMap((file) => file.diff.map(diffLine)),
    ...plan.secrets.flatMap((one) => one.next).map((text): DiffLine => ({ kind: 'note', text })),
    ...plan.mentions.map(
      (one): DiffLine => ({ kind: 'note', text: `not edited: ${one.path}:${one.line} ${one.what} = ${one.shown}` }),
    ),
  ];
  const open = Object.entries(openOf(plan)).map(([id, why]) => `No file is edited for ${id}: ${why}`);
  const dirty = plan.files
    .filter((file) => file.git === 'modified')
    .map((file) => `${file.path} has other changes that are not committed.`);
  return {
    diff: diff.map((line) => ({ ...line, text: sanitiseLine(line.text, 600) })),
    warnings: [...open, ...dirty].map((text) => sanitiseLine(text, 600)),
    departures:
      plan.files.length > 0
        ? [
            'The guide rewrites the manifests with sed; here only the entries with the address change, and no Secret is written.',
          ]
        : [],
  };
}

/** Why nothing is edited, by workload. */
const openOf = (plan: ManifestPlan): Record<string, string> =>
  Object.fromEntries(
    plan.workloads
      .filter((one) => one.state !== 'change' && one.state !== 'done')
      .map((one) => [one.id, sanitiseLine([one.detail, ...one.next].join('. '), 400)]),
  );

/** Writes the files if the operator said so, and keeps their digests: before, because a cut may come between. */
export function writePlanned(ctx: StepContext, plan: ManifestPlan | undefined): Result<void> {
  if (!plan) return ok(undefined);
  const write = ctx.manifests?.write === true;
  // Files that a cut session of this run has written are as wanted already, and still its files.
  const before = factsOf(ctx)?.dir === plan.dir ? factsOf(ctx) : undefined;
  const kept = (before?.files ?? []).filter((old) => !plan.files.some((one) => one.path === old.path));
  const keep = (written: boolean) =>
    ctx.fact('manifests', {
      dir: plan.dir,
      files: [...kept, ...plan.files.map(({ path, digests }) => ({ path, ...digests, written }))],
      open: openOf(plan),
      services: [...new Set([...(before?.services ?? []), ...plan.files.flatMap((file) => file.workloads)])],
    } satisfies ManifestFacts as unknown as JsonValue);
  keep(false);
  if (!write) return ok(undefined);
  const done = writeManifests(plan);
  if (!done.ok) return done;
  keep(true);
  return ok(undefined);
}

/** Rows of the record about files; more than these are counted. */
const ROWS = 60;

/**
 * What was written, with digests; or what would have been. It never holds up the services, so what is open in the files is a
 * warning of the run and no check that failed.
 */
export function manifestEvidence(ctx: StepContext): void {
  const facts = factsOf(ctx);
  if (!facts) return;
  const short = (digest: string) => digest.slice(0, 12);
  for (const file of facts.files.slice(0, ROWS)) {
    ctx.evidence({
      check: `manifest ${sanitiseLine(file.path, 200)}`,
      verdict: 'pass',
      observed: `sha256 ${short(file.before)} ${file.written ? 'became' : 'would become'} ${short(file.after)}${file.written ? '' : '; it was not written'}`,
      data: { before: file.before, after: file.after },
    });
  }
  const open = Object.entries(facts.open);
  for (const [id, why] of open) ctx.message('warn', `no manifest of ${id} was edited: ${why}`);
  const where = sanitiseLine(facts.dir, 200);
  const written = facts.files.filter((file) => file.written).length;
  const left = facts.files.length - written;
  const done = written > 0 ? 'written; commit them' : 'would be changed; not written';
  const all =
    facts.files.length === 0
      ? `nothing to change in ${where}`
      : `${facts.files.length} ${facts.files.length === 1 ? 'file' : 'files'} in ${where}${written > 0 && left > 0 ? `: ${written} ${done}, ${left} would be changed; not written` : ` ${done}`}`;
  ctx.evidence({
    check: 'manifest files',
    verdict: 'pass',
    observed: [all, ...open.map(([id, why]) => `${id}: ${why}`)].join('; '),
    data: { files: facts.files.length, written, open: open.length },
  });
}

/** Leads the files of a service back after the service itself, or says how. */
export async function manifestsBack(ctx: StepContext, change: WorkloadChange): Promise<void> {
  const facts = factsOf(ctx);
  if (ctx.manifests?.write !== true) {
    if (facts && hasWritten(facts) && facts.services.includes(idOf(change))) sayHow(ctx, facts, [change.ref.name]);
    return;
  }
  for (const file of await ledBack(ctx, change)) {
    ctx.evidence({
      check: `manifest ${sanitiseLine(file.path, 200)}`,
      verdict: 'pass',
      observed: `${became(file)}; commit it`,
      data: { before: file.before, after: file.after },
    });
  }
}

/** Files of services that never moved, and that a rollback is asked of all the same: p1.prepare wrote them beforehand. */
export async function manifestsOfUnmoved(ctx: StepContext, services: readonly string[]): Promise<void> {
  const facts = factsOf(ctx);
  if (!facts || !hasWritten(facts)) return;
  const changes = services
    .flatMap((service) => ctx.fleet.original(service) ?? [])
    .filter((change) => facts.services.includes(idOf(change)));
  if (changes.length === 0) return;
  if (ctx.manifests?.write !== true) {
    sayHow(
      ctx,
      facts,
      changes.map((change) => change.ref.name),
    );
    return;
  }
  for (const change of changes) {
    for (const file of await ledBack(ctx, change))
      ctx.message('info', `manifest ${file.path}: ${became(file)}; commit it`);
  }
}

const hasWritten = ({ files }: ManifestFacts): boolean => files.some((file) => file.written);

const idOf = ({ ref }: WorkloadChange): string => workloadId(ref);

const became = (file: WrittenFile): string => `sha256 ${file.before.slice(0, 12)} became ${file.after.slice(0, 12)}`;

function sayHow(ctx: StepContext, { dir }: ManifestFacts, services: readonly string[]): void {
  const only = services.map((service) => `--service ${service}`).join(' ');
  ctx.message(
    'warn',
    `the manifests of ${services.join(', ')} in ${dir} still have the pooler's address: pgb-wizard manifests --dir ${shellWord(dir)} --run ${ctx.runId} ${only} --revert --write`,
  );
}

/** Two services may share a file: one after the other. It only says when; what went wrong goes to who asked. */
let turn: Promise<void> = Promise.resolve();

async function ledBack(ctx: StepContext, change: WorkloadChange): Promise<readonly WrittenFile[]> {
  const mine = turn.then(() => back(ctx, change));
  turn = mine.then(
    () => undefined,
    () => undefined,
  );
  const written = await mine;
  if (!written.ok) {
    ctx.message('warn', `the manifests of ${change.ref.name} were not led back: ${written.error.message}`);
    return [];
  }
  const facts = factsOf(ctx);
  if (facts) {
    const services = facts.services.filter((id) => id !== idOf(change));
    ctx.fact('manifests', { ...facts, services } satisfies ManifestFacts as unknown as JsonValue);
  }
  return written.value;
}

async function back(ctx: StepContext, change: WorkloadChange): Promise<Result<readonly WrittenFile[]>> {
  const plan = await manifestsFor(ctx, [change], 'back');
  if (!plan.ok) return plan;
  if (!plan.value) return ok([]);
  const open = Object.entries(openOf(plan.value));
  if (open.length > 0) return fail('drift', open.map(([id, why]) => `${id}: ${why}`).join('; '));
  return writeManifests(plan.value);
}
