/**
 * What a change of the cluster means for the files that the workloads come from (guide 1.5): whoever owns a workload puts
 * the old address back from there, sooner or later. Nothing is written here; `write.ts` does.
 */
import { realpathSync } from 'node:fs';
import { parseDsn } from '../kube/dsn.ts';
import type { Edit } from '../kube/edits.ts';
import type { Json } from '../kube/types.ts';
import { ok, type Result } from '../result.ts';
import { looksLikeTemplate, type ManifestObject, nodeAt, objectsIn, parseFile } from './documents.ts';
import { editText, type PlacedEdit, templateIn } from './edit-file.ts';
import { listPath, standing, valueAt } from './entry.ts';
import { olderTexts, openGit, standingOf } from './git.ts';
import { maskedText } from './masked.ts';
import { mentionsIn } from './mentions.ts';
import { hasDocument, isPublic, secretsBefore, secretTasks, withDocument, withoutDocument } from './owned-objects.ts';
import { candidatesOf, type ParsedFile, type Placed, place } from './place.ts';
import { readTree, type Tree } from './tree.ts';
import type { FileChange, ManifestPlan, ManifestRequest, Mention, WantedChange, WorkloadManifests } from './types.ts';
import { unifiedDiff } from './unified.ts';
import { digestOf } from './write.ts';

/** Errors: `usage` when the folder can't be read. Everything else is in the plan. */
export async function planManifests(request: ManifestRequest): Promise<Result<ManifestPlan>> {
  const { dir, changes, direction } = request;
  const git = await openGit(rootOf(dir) ?? dir);
  const tree = await readTree(dir, git);
  if (!tree.ok) return tree;
  const { files, skipped } = parsedFiles(tree.value, request);
  const texts = new Map(files.map((file) => [file.path, file.parsed.text]));
  const workloads: WorkloadManifests[] = [];
  const touched = new Map<string, Set<string>>();
  for (const change of changes) {
    const placed = place(files, change, request.namespace, direction);
    const edited = await edit(tree.value.root, files, texts, change, placed, request);
    workloads.push(edited.report);
    for (const [path, text] of edited.texts) {
      texts.set(path, text);
      touched.set(path, (touched.get(path) ?? new Set()).add(edited.report.id));
    }
  }
  const paths = [...touched.keys()].filter((path) => texts.get(path) !== textOf(files, path)).sort();
  const standings = git ? await standingOf(git, tree.value.root, paths) : new Map();
  const missing = workloads.some((one) => one.state === 'missing');
  const mentions = direction === 'forward' ? mentionsOf(files, request) : [];
  const charts = tree.value.charts.filter((chart) => missing || mentions.some((one) => isIn(chart, one.path)));
  return ok({
    dir,
    root: tree.value.root,
    direction,
    workloads: workloads.map((one) => withChartHint(one, charts, mentions)),
    files: paths.map((path) => fileChange(path, textOf(files, path), texts.get(path)!, touched, standings)),
    secrets:
      direction === 'forward'
        ? changes
            .filter((_, at) => workloads[at]!.state === 'change' || workloads[at]!.state === 'done')
            .flatMap((change) => secretTasks(files, change))
        : [],
    mentions,
    charts,
    skipped: [...tree.value.skipped, ...skipped],
  });
}

function rootOf(dir: string): string | undefined {
  try {
    return realpathSync(dir);
  } catch {
    return undefined;
  }
}

const textOf = (files: readonly ParsedFile[], path: string): string =>
  files.find((file) => file.path === path)!.parsed.text;

/** Only files that speak of a workload, a new object or the target are parsed: a repository holds many others. */
function parsedFiles(
  tree: Tree,
  { changes, target }: ManifestRequest,
): { files: ParsedFile[]; skipped: { path: string; reason: string }[] } {
  const words = new Set([
    ...changes.flatMap((one) => [one.ref.name, ...secretsBefore(one), ...one.objects.map((object) => object.ref.name)]),
    ...target.services,
    ...target.hosts,
  ]);
  const skipped: { path: string; reason: string }[] = [];
  const files: ParsedFile[] = [];
  for (const { path, text, chart } of tree.files) {
    if (chart !== undefined) continue;
    const lower = text.toLowerCase();
    if (![...words].some((word) => lower.includes(word.toLowerCase()))) continue;
    if (looksLikeTemplate(text)) {
      skipped.push({ path, reason: 'a template: no YAML before it is rendered' });
      continue;
    }
    const parsed = parseFile(text);
    if (parsed) files.push({ path, parsed, objects: objectsIn(parsed) });
    else skipped.push({ path, reason: 'no valid YAML' });
  }
  return { files, skipped };
}

interface Edited {
  readonly report: WorkloadManifests;
  readonly texts: ReadonlyMap<string, string>;
}

/** The new texts of a workload's files: all of them, or none. */
async function edit(
  root: string,
  files: readonly ParsedFile[],
  texts: ReadonlyMap<string, string>,
  change: WantedChange,
  placed: Placed,
  request: ManifestRequest,
): Promise<Edited> {
  const { report } = placed;
  const byHand = (detail: string, next: string): Edited => ({
    report: { ...report, state: 'by-hand', detail, next: [next] },
    texts: new Map(),
  });
  const next = new Map<string, string>();
  for (const [path, edits] of placed.edits) {
    const ready: PlacedEdit[] = [];
    for (const one of edits) {
      if (!bringsPassword(one)) ready.push(one);
      else {
        const written = await oldWords(root, path, change, one, request.namespace);
        if (written === undefined) {
          return byHand(
            'its original address holds a password, which goes into no file; no version of the file in Git has it either',
            'Put the old line back by hand, or restore the file from where it is kept.',
          );
        }
        ready.push({ ...one, written });
      }
    }
    const text = editText(texts.get(path)!, ready);
    if (text === undefined) {
      return byHand(
        `${path} can't be edited without changing more: a value that is shared by an anchor, or merged in`,
        'Change it by hand; the preview of the service says from what to what.',
      );
    }
    next.set(path, text);
  }
  if (report.state === 'change') {
    const failed = withObjects(files, texts, next, change, placed, request.direction);
    if (failed !== undefined) return byHand(failed, 'Make the ConfigMap by hand, as the run makes it in the cluster.');
  }
  const leaves = [...placed.edits.values()].flat().some(({ move }) => hasPassword(move.from) && !hasPassword(move.to));
  const rotate = 'The old password stays in the history of the repository: rotate it after the migration.';
  return { report: leaves ? { ...report, next: [...report.next, rotate] } : report, texts: next };
}

/** ConfigMaps of the change behind the document that refers to them, or out again. Answers what can't be done. */
function withObjects(
  files: readonly ParsedFile[],
  texts: ReadonlyMap<string, string>,
  next: Map<string, string>,
  change: WantedChange,
  placed: Placed,
  direction: ManifestRequest['direction'],
): string | undefined {
  const [first] = placed.edits.keys();
  for (const object of change.objects.filter((one) => one.ref.kind === 'ConfigMap')) {
    if (direction === 'back') {
      for (const file of files.filter((one) => hasDocument([one], object))) {
        next.set(file.path, withoutDocument(next.get(file.path) ?? texts.get(file.path)!, object));
      }
      continue;
    }
    if (hasDocument(files, object)) continue;
    if (!isPublic(object)) return `ConfigMap ${object.ref.name} holds a password, which goes into no file`;
    const namespaced = placed.candidates.some(
      ({ file, object: { value } }) => file.path === first && value.metadata.namespace !== undefined,
    );
    const text = withDocument(next.get(first!)!, object.manifest, namespaced);
    if (text === undefined) return `${first} can't hold the new ConfigMap ${object.ref.name} beside the workload`;
    next.set(first!, text);
  }
  return undefined;
}

/** An entry of variables, or an argument, with a password in clear. */
const hasPassword = (value: Json): boolean => {
  const text = typeof value === 'string' ? value : value?.value;
  if (typeof text !== 'string') return false;
  return [text, ...text.split(/\s+|=(?=[a-z+]+:\/\/)/i)].some(
    (part) => (parseDsn(part)?.passwordSpans.length ?? 0) > 0,
  );
};

/** Would this edit write a password that the file does not hold now? */
const bringsPassword = ({ move }: PlacedEdit): boolean =>
  move.to !== null && hasPassword(move.to) && !hasPassword(move.from);

/** The old value as the newest version in Git wrote it that had it. */
async function oldWords(
  root: string,
  path: string,
  change: WantedChange,
  { edit, move }: PlacedEdit,
  namespace: string,
): Promise<string | undefined> {
  const back = { from: move.to, to: move.from };
  for await (const text of olderTexts(root, path)) {
    const parsed = parseFile(text);
    if (!parsed) continue;
    const file: ParsedFile = { path, parsed, objects: objectsIn(parsed) };
    for (const { object } of candidatesOf([file], change, namespace)) {
      const found = wordsIn(file, object, edit, back);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function wordsIn(
  { parsed }: ParsedFile,
  object: ManifestObject,
  edit: Edit,
  move: { from: Json; to: Json },
): string | undefined {
  const template = templateIn(object);
  const value = valueAt(parsed.values[object.document], template);
  const { state, index } = standing(value, edit, move);
  if (state !== 'from' || index === undefined) return undefined;
  const entry = [...template, ...listPath(value, edit)!, index, ...(edit.kind === 'env' ? ['value'] : [])];
  const range = nodeAt(parsed.documents[object.document]!, entry)?.range;
  const words = range && parsed.text.slice(range[0], range[1]);
  // A text of several lines is indented as its place was; what can't be put elsewhere is written anew.
  return words?.includes('\n')
    ? JSON.stringify(edit.kind === 'env' ? move.from.value : move.from)
    : (words ?? undefined);
}

function fileChange(
  path: string,
  before: string,
  after: string,
  touched: ReadonlyMap<string, ReadonlySet<string>>,
  standings: ReadonlyMap<string, FileChange['git']>,
): FileChange {
  const shown = (text: string) => {
    const parsed = parseFile(text);
    return parsed ? maskedText(parsed) : '';
  };
  const standing = standings.get(path);
  return {
    path,
    before,
    after,
    digests: { before: digestOf(before), after: digestOf(after) },
    diff: unifiedDiff(path, shown(before), shown(after)),
    ...(standing === undefined ? {} : { git: standing }),
    workloads: [...touched.get(path)!].sort(),
  };
}

function mentionsOf(files: readonly ParsedFile[], { changes, target, namespace }: ManifestRequest): Mention[] {
  return files.flatMap((file) => {
    const known = changes
      .flatMap((change) => candidatesOf([file], change, namespace))
      .map(({ object }) => ({
        document: object.document,
        node: nodeAt(file.parsed.documents[object.document]!, object.path),
      }));
    return mentionsIn(file.path, file.parsed, target, known);
  });
}

const isIn = (folder: string, path: string): boolean => folder === '' || path.startsWith(`${folder}/`);

/** A workload without a document may be a chart's: then its values are where the address is. */
function withChartHint(
  report: WorkloadManifests,
  charts: readonly string[],
  mentions: readonly Mention[],
): WorkloadManifests {
  if (report.state !== 'missing') return report;
  const values = mentions.filter((one) => one.helm || charts.some((chart) => isIn(chart, one.path)));
  if (charts.length === 0 && values.length === 0) return report;
  const where = values.slice(0, 4).map((one) => `${one.path}:${one.line}`);
  return {
    ...report,
    next: [
      ...report.next,
      where.length > 0
        ? `If a Helm chart makes it, change its values: ${where.join(', ')}${values.length > 4 ? ` and ${values.length - 4} more` : ''}.`
        : `If the Helm chart ${charts.map((one) => one || '.').join(', ')} makes it, change its values; none of them in the folder holds the address.`,
    ],
  };
}
