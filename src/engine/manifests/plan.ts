/**
 * What a change of the cluster means for the files that the workloads come from (guide 1.5): whoever owns a workload puts
 * the old address back from there, sooner or later. Nothing is written here; `write.ts` does.
 */
import { realpathSync } from 'node:fs';
import type { Node } from 'yaml';
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { looksLikeTemplate, nodeAt, parseFile } from './documents.ts';
import { editAll } from './edit-all.ts';
import { openGit, standingOf } from './git.ts';
import { Builds } from './kustomize.ts';
import { maskedText } from './masked.ts';
import { mentionsIn } from './mentions.ts';
import { secretsBefore, secretTasks } from './owned-objects.ts';
import { type ParsedFile, ParsedFiles } from './parsed-files.ts';
import { candidatesOf, type Placed, place, placeText } from './place.ts';
import { readTree, type Tree } from './tree.ts';
import type { FileChange, ManifestPlan, ManifestRequest, Mention, WorkloadManifests } from './types.ts';
import { unifiedDiff } from './unified.ts';
import { digestOf } from './write.ts';

/** Errors: `usage` when the folder can't be read. Everything else is in the plan. */
export async function planManifests(request: ManifestRequest): Promise<Result<ManifestPlan>> {
  const { dir, changes, direction } = request;
  const git = await openGit(rootOf(dir) ?? dir);
  const tree = await readTree(dir, git);
  if (!tree.ok) return tree;
  const { files, skipped } = parsedFiles(tree.value, request);
  const builds = new Builds(tree.value.files);
  const placed = changes
    .map((change) => place(files, change, request.namespace, direction))
    .map((one) => (request.shared ? one : unlessShared(one, builds)));
  const { reports: workloads, texts, touched } = await editAll(tree.value.root, files, placed, request);
  const paths = [...touched.keys()].filter((path) => texts.get(path) !== files.textOf(path)).sort();
  const standings = git ? await standingOf(git, tree.value.root, paths) : new Map();
  const missing = workloads.some((one) => one.state === 'missing');
  const mentions = direction === 'forward' ? mentionsOf(files, request) : [];
  const charts = tree.value.charts.filter((chart) => missing || mentions.some((one) => isIn(chart, one.path)));
  return ok({
    dir,
    root: tree.value.root,
    direction,
    workloads: workloads.map((one) => withChartHint(one, charts, mentions)),
    files: paths.map((path) => fileChange(path, files.textOf(path), texts.get(path)!, touched, standings)),
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

/** A base that other overlays build on would change with them: on another cluster the new Secret is not there. */
function unlessShared(placed: Placed, builds: Builds): Placed {
  for (const path of placed.edits.keys()) {
    const roots = builds.rootsOf(path);
    if (roots.length < 2) continue;
    const report: WorkloadManifests = {
      ...placed.report,
      state: 'ambiguous',
      detail: sanitiseLine(`${path} is built into ${roots.join(', ')}: a change of it reaches all of them`, 600),
      next: ['Set the entry in a patch of the overlay of this cluster, or change the shared one too: --shared.'],
    };
    return { ...placed, report, edits: new Map() };
  }
  return placed;
}

function rootOf(dir: string): string | undefined {
  try {
    return realpathSync(dir);
  } catch {
    return undefined;
  }
}

/** Only files that speak of a workload, a new object or the target are parsed: a repository holds many others. */
function parsedFiles(
  tree: Tree,
  { changes, target }: ManifestRequest,
): { files: ParsedFiles; skipped: { path: string; reason: string }[] } {
  const named = [
    ...changes.flatMap((one) => [one.ref.name, ...secretsBefore(one), ...one.objects.map((object) => object.ref.name)]),
    ...target.services,
    ...target.hosts,
  ];
  const words = [...new Set(named.map((word) => word.toLowerCase()))];
  const skipped: { path: string; reason: string }[] = [];
  const files: ParsedFile[] = [];
  for (const { path, text, chart } of tree.files) {
    if (chart !== undefined) continue;
    const lower = text.toLowerCase();
    if (!words.some((word) => lower.includes(word))) continue;
    if (looksLikeTemplate(text)) {
      skipped.push({ path, reason: 'a template: no YAML before it is rendered' });
      continue;
    }
    const parsed = parseFile(text);
    if (parsed) files.push({ path, parsed });
    else skipped.push({ path, reason: 'no valid YAML' });
  }
  return { files: new ParsedFiles(files), skipped };
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
    diff: unifiedDiff(sanitiseLine(path, 300), shown(before), shown(after)),
    ...(standing === undefined ? {} : { git: standing }),
    workloads: [...touched.get(path)!].sort(),
  };
}

function mentionsOf(files: ParsedFiles, { changes, target, namespace }: ManifestRequest): Mention[] {
  const known = new Map<string, { document: number; node: Node | undefined }[]>();
  for (const { file, object } of changes.flatMap((change) => candidatesOf(files, change, namespace))) {
    const node = nodeAt(file.parsed.documents[object.document]!, object.path);
    known.set(file.path, [...(known.get(file.path) ?? []), { document: object.document, node }]);
  }
  return files.list.flatMap(({ path, parsed }) => mentionsIn(path, parsed, target, known.get(path) ?? []));
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
  const where = values.slice(0, 4).map(placeText);
  return {
    ...report,
    next: [
      ...report.next,
      where.length > 0
        ? `If a Helm chart makes it, change its values: ${where.join(', ')}${values.length > 4 ? ` and ${values.length - 4} more` : ''}.`
        : `If the Helm chart ${sanitiseLine(charts.map((one) => one || '.').join(', '), 300)} makes it, change its values; none of them in the folder holds the address.`,
    ],
  };
}
