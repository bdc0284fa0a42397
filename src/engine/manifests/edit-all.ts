/**
 * The new texts of all files. A workload is edited in all of its files or in none; the files of a fleet are edited in one go
 * where that works, and workload by workload where one of them stands in the way.
 */
import { workloadId } from '../kube/refs.ts';
import { sanitiseLine } from '../sanitise.ts';
import { editText, type PlacedEdit } from './edit-file.ts';
import { bringsPassword, leavesPassword, oldWords } from './old-words.ts';
import { hasDocument, isPublic, withDocument, withoutDocument } from './owned-objects.ts';
import type { ParsedFiles } from './parsed-files.ts';
import type { Placed } from './place.ts';
import type { ManifestRequest, WantedChange, WorkloadManifests } from './types.ts';

export interface Edited {
  /** In the order of the changes. */
  readonly reports: readonly WorkloadManifests[];
  /** By path; every file that was read. */
  readonly texts: ReadonlyMap<string, string>;
  /** Workloads by the path of a file that they changed. */
  readonly touched: ReadonlyMap<string, ReadonlySet<string>>;
}

type Ready = ReadonlyMap<string, readonly PlacedEdit[]>;

/** What keeps a workload from being edited, and what to do about it. */
interface Refusal {
  readonly detail: string;
  readonly next: string;
}

export async function editAll(
  root: string,
  files: ParsedFiles,
  placed: readonly Placed[],
  request: ManifestRequest,
): Promise<Edited> {
  const { changes, direction } = request;
  const texts = new Map(files.list.map((file) => [file.path, file.parsed.text]));
  const touched = new Map<string, Set<string>>();
  const ready: Ready[] = [];
  const refused: (Refusal | undefined)[] = [];
  for (const [at, change] of changes.entries()) {
    const found = await readyEdits(root, change, placed[at]!, request.namespace);
    const why = 'detail' in found ? found : objectsInTheWay(files, change, placed[at]!, direction);
    refused.push(why);
    ready.push(why === undefined && !('detail' in found) ? found : new Map());
  }
  const slow = inOneGo(texts, ready);
  for (const at of slow) {
    const next = oneWorkload(texts, ready[at]!);
    if (next instanceof Map) for (const [path, text] of next) texts.set(path, text);
    else {
      refused[at] = next;
      ready[at] = new Map();
    }
  }
  // At the end: a document more or less moves the others.
  for (const [at, change] of changes.entries()) {
    const paths = [...ready[at]!.keys()];
    if (paths.length === 0) continue;
    for (const path of [...paths, ...moveObjects(files, texts, change, placed[at]!, paths[0]!, direction)]) {
      touched.set(path, (touched.get(path) ?? new Set()).add(workloadId(change.ref)));
    }
  }
  const reports = placed.map(({ report, edits }, at): WorkloadManifests => {
    const why = refused[at];
    if (why !== undefined)
      return { ...report, state: 'by-hand', detail: sanitiseLine(why.detail, 600), next: [why.next] };
    return [...edits.values()].flat().some(leavesPassword) ? { ...report, next: [...report.next, ROTATE] } : report;
  });
  return { reports, texts, touched };
}

const ROTATE = 'The old password stays in the history of the repository: rotate it after the migration.';

/** The edits of a workload by file, with the old words of what the cluster must not give away. */
async function readyEdits(
  root: string,
  change: WantedChange,
  placed: Placed,
  namespace: string,
): Promise<Ready | Refusal> {
  const ready = new Map<string, PlacedEdit[]>();
  for (const [path, edits] of placed.edits) {
    for (const one of edits) {
      const written = bringsPassword(one) ? await oldWords(root, path, change, one, namespace) : undefined;
      if (written === undefined && bringsPassword(one)) {
        return {
          detail:
            'its original address holds a password, which goes into no file; no version of the file in Git has it either',
          next: 'Put the old line back by hand, or restore the file from where it is kept.',
        };
      }
      ready.set(path, [...(ready.get(path) ?? []), written === undefined ? one : { ...one, written }]);
    }
  }
  return ready;
}

/** Edits all files at once. Answers which workloads are left: those of files where that failed, and whoever shares theirs. */
function inOneGo(texts: Map<string, string>, ready: readonly Ready[]): readonly number[] {
  const byFile = new Map<string, PlacedEdit[]>();
  for (const edits of ready) {
    for (const [path, list] of edits) byFile.set(path, [...(byFile.get(path) ?? []), ...list]);
  }
  const next = new Map([...byFile].map(([path, edits]) => [path, editText(texts.get(path)!, edits)]));
  const failed = new Set([...next].filter(([, text]) => text === undefined).map(([path]) => path));
  const slow = new Set<number>();
  for (let grown = true; grown; ) {
    grown = false;
    for (const [at, edits] of ready.entries()) {
      if (slow.has(at) || ![...edits.keys()].some((path) => failed.has(path))) continue;
      slow.add(at);
      for (const path of edits.keys()) failed.add(path);
      grown = true;
    }
  }
  for (const [path, text] of next) if (!failed.has(path)) texts.set(path, text!);
  return [...slow];
}

function oneWorkload(texts: ReadonlyMap<string, string>, ready: Ready): Map<string, string> | Refusal {
  const next = new Map<string, string>();
  for (const [path, edits] of ready) {
    const text = editText(texts.get(path)!, edits);
    if (text === undefined) {
      return {
        detail: `${path} can't be edited without changing more: a value that is shared by an anchor, or merged in`,
        next: 'Change it by hand; the preview of the service says from what to what.',
      };
    }
    next.set(path, text);
  }
  return next;
}

const mapsOf = (change: WantedChange) => change.objects.filter((one) => one.ref.kind === 'ConfigMap');

/** Can the ConfigMaps of a change stand behind the document that refers to them? */
function objectsInTheWay(
  files: ParsedFiles,
  change: WantedChange,
  placed: Placed,
  direction: ManifestRequest['direction'],
): Refusal | undefined {
  const [path] = placed.edits.keys();
  if (path === undefined || direction === 'back') return undefined;
  const text = files.textOf(path);
  for (const object of mapsOf(change).filter((one) => !hasDocument(files, one))) {
    const { name } = object.ref;
    const next = 'Make the ConfigMap by hand, as the run makes it in the cluster, and change the entry by hand.';
    if (!isPublic(object)) return { detail: `ConfigMap ${name} holds a password, which goes into no file`, next };
    if (withDocument(text, object.manifest, true) === undefined)
      return { detail: `${path} can't hold the new ConfigMap ${name} beside the workload`, next };
  }
  return undefined;
}

/** Puts the ConfigMaps of a change behind its document, or takes them out again. Answers the files that this changed. */
function moveObjects(
  files: ParsedFiles,
  texts: Map<string, string>,
  change: WantedChange,
  placed: Placed,
  path: string,
  direction: ManifestRequest['direction'],
): string[] {
  const changed: string[] = [];
  for (const object of mapsOf(change)) {
    if (direction === 'back') {
      for (const { file } of files.named('ConfigMap', object.ref.name)) {
        const text = withoutDocument(texts.get(file.path)!, object);
        if (text !== texts.get(file.path)) changed.push(file.path);
        texts.set(file.path, text);
      }
      continue;
    }
    if (hasDocument(files, object)) continue;
    const namespaced = placed.candidates.some(
      ({ file, object: { value } }) => file.path === path && value.metadata.namespace !== undefined,
    );
    const text = withDocument(texts.get(path)!, object.manifest, namespaced);
    if (text !== undefined) texts.set(path, text);
  }
  return changed;
}
