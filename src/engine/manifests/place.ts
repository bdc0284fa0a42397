/** Which document of which file holds which entry of a workload: exactly one, or a reason why nothing is written. */
import { type Edit, editName } from '../kube/edits.ts';
import { groupOf, workloadId } from '../kube/refs.ts';
import type { Json } from '../kube/types.ts';
import { sanitiseLine } from '../sanitise.ts';
import { lineOf, nodeAt } from './documents.ts';
import { offsetOf, type PlacedEdit, templateIn } from './edit-file.ts';
import { moveOf, type Standing, standing, valueAt } from './entry.ts';
import { shownValue } from './masked.ts';
import type { Candidate, ParsedFiles } from './parsed-files.ts';
import type { Direction, Place, WantedChange, WorkloadManifests } from './types.ts';

export interface Placed {
  readonly report: WorkloadManifests;
  /** By file; empty unless the state is `change`. */
  readonly edits: ReadonlyMap<string, readonly PlacedEdit[]>;
  readonly candidates: readonly Candidate[];
}

/** Documents of this workload: by API group, kind and name; a namespace may be left out, and must not be another one. */
export function candidatesOf(files: ParsedFiles, { ref }: WantedChange, namespace: string): Candidate[] {
  return files.named(ref.kind, ref.name).filter(({ object: { value } }) => {
    const { namespace: own } = value.metadata;
    return (
      groupOf(String(value.apiVersion ?? '')) === groupOf(ref.apiVersion) &&
      (own === undefined || own === null || own === namespace)
    );
  });
}

/** Where every edit of a workload goes. A workload is edited as a whole or not at all: half an address serves nobody. */
export function place(files: ParsedFiles, change: WantedChange, namespace: string, direction: Direction): Placed {
  const id = workloadId(change.ref);
  const candidates = candidatesOf(files, change, namespace);
  const nothing = (
    state: WorkloadManifests['state'],
    detail: string,
    next: readonly string[] = [],
    places: readonly Place[] = candidates.map(placeOf),
  ): Placed => ({
    report: { id, state, places, detail: sanitiseLine(detail, 600), next },
    edits: new Map(),
    candidates,
  });
  if (candidates.length === 0) return nothing('missing', 'no document of it in the folder');
  const chosen: { candidate: Candidate; placed: PlacedEdit }[] = [];
  let done = 0;
  const elsewhere: string[] = [];
  for (const edit of change.edits) {
    const seen = candidates.map((candidate) => ({ candidate, ...stand(candidate, edit, direction) }));
    const from = seen.filter((one) => one.state === 'from');
    const differing = seen.filter((one) => one.state === 'differs');
    const there = seen.filter((one) => one.state === 'to');
    const isNew = edit.kind === 'env' && edit.before === null;
    const fits = isNew && direction === 'forward' ? wholeOnes(from, edit) : from;
    if (fits.length > 1) {
      return nothing(
        'ambiguous',
        `${editName(edit)} stands in ${fits.length} documents`,
        ['Name the folder of the one that is applied to this cluster.'],
        fits.map((one) => entryPlace(one.candidate, edit, direction)),
      );
    }
    const [hit] = fits;
    // An overlay that sets the entry wins over its base, whatever the base says.
    if (hit !== undefined && (!isNew || direction === 'back' || there.length === 0)) {
      for (const one of differing)
        elsewhere.push(`${placeText(entryPlace(one.candidate, edit, direction))} has another value`);
      const others = seen.filter((one) => one !== hit && one.index !== undefined);
      if (others.length > 0 && changesField(edit)) {
        return nothing(
          'by-hand',
          `${editName(edit)} changes from a value to a reference, and ${others.map((one) => placeText(entryPlace(one.candidate, edit, direction))).join(', ')} sets it too: kustomize would keep both`,
          ['Take the entry out of one of the documents, or write `value: null` beside the reference in the patch.'],
        );
      }
      const { document, path } = hit.candidate.object;
      chosen.push({ candidate: hit.candidate, placed: { edit, move: moveOf(edit, direction), document, path } });
    } else if (there.length > 0) done += 1;
    else if (differing.length > 0) {
      const [one] = differing;
      return nothing(
        'differs',
        `${editName(edit)} is ${shownEntry(one!.candidate, edit, one!.index)} in ${placeText(entryPlace(one!.candidate, edit, direction))}, and the cluster ${direction === 'forward' ? 'has' : 'was given'} ${shownLive(edit, direction)}`,
        ['See which of them is right, make them equal, then look again.'],
        differing.map((other) => entryPlace(other.candidate, edit, direction)),
      );
    } else {
      return nothing('missing', `${editName(edit)} stands in none of its documents`, [
        'It comes from somewhere else: a generator, a patch inside a kustomization, a chart.',
      ]);
    }
  }
  if (chosen.length === 0) {
    return nothing(
      'done',
      direction === 'forward' ? 'as the pooler needs it already' : 'has its original address already',
    );
  }
  const edits = new Map<string, PlacedEdit[]>();
  for (const { candidate, placed } of chosen) {
    edits.set(candidate.file.path, [...(edits.get(candidate.file.path) ?? []), placed]);
  }
  const places = chosen.map(({ candidate, placed }) => entryPlace(candidate, placed.edit, direction));
  const names = [...new Set(chosen.map(({ placed }) => editName(placed.edit)))].join(', ');
  const detail = [`${names}${done > 0 ? ` (${done} more as wanted already)` : ''}`, ...elsewhere].join('; ');
  return { report: { id, state: 'change', places, detail: sanitiseLine(detail, 600), next: [] }, edits, candidates };
}

/** Does an entry get another field, which a merge of documents would add to the old one? */
const changesField = (edit: Edit): boolean =>
  edit.kind === 'env' && edit.before !== null && fieldsOf(edit.before) !== fieldsOf(edit.after);

const fieldsOf = (entry: Json): string =>
  [...Object.keys(entry), ...Object.keys(entry.valueFrom ?? {})].sort().join(' ');

/** `deploy/app.yaml:12`. */
export const placeText = ({ path, line }: Place): string => `${sanitiseLine(path, 300)}:${line}`;

export function placeOf({ file, object }: Candidate): Place {
  const range = nodeAt(file.parsed.documents[object.document]!, object.path)?.range;
  return { path: file.path, line: lineOf(file.parsed.text, range?.[0] ?? 0) };
}

/** Where an entry of a document is, or the container that has none yet. */
function entryPlace({ file, object }: Candidate, edit: Edit, direction: Direction): Place {
  const { document, path } = object;
  const offset = offsetOf(file.parsed, { edit, move: moveOf(edit, direction), document, path });
  return { path: file.path, line: lineOf(file.parsed.text, offset) };
}

const templateOfCandidate = ({ file, object }: Candidate): Json =>
  valueAt(file.parsed.values[object.document], templateIn(object));

const stand = (candidate: Candidate, edit: Edit, direction: Direction): Standing =>
  standing(templateOfCandidate(candidate), edit, moveOf(edit, direction));

/** A new entry belongs into the manifest itself, not into the patches that hold a part of the same container. */
function wholeOnes<T extends { readonly candidate: Candidate }>(seen: readonly T[], edit: Edit): T[] {
  if (seen.length < 2 || edit.kind === 'volume') return [...seen];
  const whole = seen.filter(({ candidate }) => {
    const { value } = candidate.object;
    const containers: Json = templateOfCandidate(candidate)?.spec?.[edit.list] ?? [];
    const container = Array.isArray(containers)
      ? containers.find((one: Json) => one?.name === edit.container)
      : undefined;
    return container?.image !== undefined && (value.spec?.selector !== undefined || value.kind === 'CronJob');
  });
  return whole.length > 0 ? whole : [...seen];
}

function shownEntry(candidate: Candidate, edit: Edit, index: number | undefined): string {
  const template = templateOfCandidate(candidate);
  if (edit.kind === 'volume') return 'another volume';
  const containers: Json = template?.spec?.[edit.list] ?? [];
  const container = containers.find((one: Json) => one?.name === edit.container);
  const entry = edit.kind === 'env' ? container?.env?.[index ?? -1] : container?.[edit.field]?.[edit.index];
  return shown(entry);
}

const shownLive = (edit: Edit, direction: Direction): string => {
  const { from } = moveOf(edit, direction);
  return from === null ? 'none' : shown(from);
};

function shown(entry: Json): string {
  if (typeof entry === 'string') return shownValue(entry);
  const source = entry?.valueFrom?.secretKeyRef ?? entry?.valueFrom?.configMapKeyRef;
  if (source) {
    const kind = entry.valueFrom.secretKeyRef ? 'Secret' : 'ConfigMap';
    return `key ${source.key} of ${kind} ${source.name}`;
  }
  if (typeof entry?.value === 'string') return shownValue(entry.value);
  return 'something else';
}
