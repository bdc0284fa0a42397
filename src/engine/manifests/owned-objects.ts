/**
 * The Secrets and ConfigMaps that a change makes, as far as files are concerned: a ConfigMap is written behind the document
 * that refers to it and taken out again on the way back; a Secret is a task for whatever makes the team's Secrets.
 */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'yaml';
import { parseDsn } from '../kube/dsn.ts';
import type { NewObject } from '../kube/owned-objects.ts';
import { workloadId } from '../kube/refs.ts';
import type { Json } from '../kube/types.ts';
import { sanitiseLine } from '../sanitise.ts';
import { scrub } from '../secret.ts';
import { type Parsed, parseFile } from './documents.ts';
import type { ParsedFiles } from './parsed-files.ts';
import { placeOf } from './place.ts';
import { endOfLine } from './splice.ts';
import type { SecretTask, WantedChange } from './types.ts';

/** May this ConfigMap stand in a file? Not with a password in it. */
export const isPublic = (object: NewObject): boolean =>
  object.ref.kind === 'ConfigMap' &&
  Object.values((object.manifest.data ?? {}) as Record<string, string>).every(
    (text) => (parseDsn(text)?.passwordSpans.length ?? 0) === 0 && scrub(text) === text,
  );

/** Is there a document of it already? */
export const hasDocument = (files: ParsedFiles, object: NewObject): boolean =>
  files.named(object.ref.kind, object.ref.name).length > 0;

/** The text with the object as one more document; undefined where a file can't hold another (JSON). */
export function withDocument(text: string, manifest: Json, keepNamespace: boolean): string | undefined {
  const before = parseFile(text);
  if (!before || /^\uFEFF?\s*[{[]/.test(text)) return undefined;
  const wanted = structuredClone(manifest);
  if (!keepNamespace) delete wanted.metadata.namespace;
  const eol = endOfLine(text);
  const body = stringify(wanted, { version: '1.1', lineWidth: 0 });
  const open = text === '' || text.endsWith('\n') ? '' : eol;
  const next = `${text}${open}---${eol}${body.split('\n').join(eol)}`;
  return isDeepStrictEqual(parseFile(next)?.values, [...before.values, wanted]) ? next : undefined;
}

/** The text without the document of that object, when the wizard's own label is on it. */
export function withoutDocument(text: string, object: NewObject): string {
  const parsed = parseFile(text);
  const at = parsed?.values.findIndex((value) => isOurs(value, object)) ?? -1;
  if (!parsed || at < 1) return text;
  const start = separatorBefore(parsed, at);
  const next = parsed.documents[at + 1];
  const end = next === undefined ? text.length : separatorBefore(parsed, at + 1);
  if (start === undefined || end === undefined) return text;
  const without = text.slice(0, start) + text.slice(end);
  const wanted = parsed.values.filter((_, index) => index !== at);
  return isDeepStrictEqual(parseFile(without)?.values, wanted) ? without : text;
}

const isOurs = (value: Json, object: NewObject): boolean =>
  value?.kind === object.ref.kind &&
  value.metadata?.name === object.ref.name &&
  value.metadata.labels?.['app.kubernetes.io/managed-by'] === 'pgb-wizard';

/** Offset of the `---` line that begins a document. */
function separatorBefore(parsed: Parsed, document: number): number | undefined {
  const start = parsed.documents[document]?.contents?.range?.[0];
  if (start === undefined) return undefined;
  const found = [...parsed.text.slice(0, start).matchAll(/^---[^\n]*\n/gm)].at(-1);
  return found?.index;
}

/** For a Secret that nothing in the folder makes; `NAME` stands for it. */
export const WAYS_TO_KEEP_A_SECRET =
  'A Secret NAME that the cluster has, sealed: kubectl get secret NAME -o yaml | kubeseal -o yaml > FILE; with SOPS the same into sops encrypt; with External Secrets the new address into the store, and an ExternalSecret whose target is NAME.';

/** What has to be done for the Secrets that the manifests of a workload refer to from now on. */
export function secretTasks(files: ParsedFiles, change: WantedChange): SecretTask[] {
  return change.objects
    .filter((object) => object.ref.kind === 'Secret')
    .map((object) => {
      const { name } = object.ref;
      const keys = Object.keys(object.manifest.data ?? {});
      const there = files.makerOf(name);
      const made =
        there ?? [...secretsBefore(change)].map((one) => files.makerOf(one)).find((one) => one !== undefined);
      const place = made && placeOf(made);
      return {
        name,
        workload: workloadId(change.ref),
        keys,
        ...(made && place ? { maker: { ...place, kind: made.kind } } : {}),
        next: there
          ? [`The folder has what makes Secret ${name} already: see that its address is the pooler's.`]
          : [
              `Secret ${name} must be in the cluster before this manifest is applied. A run makes it when it switches the service; no file holds it. ${wayOf(made?.kind, name, place && `${sanitiseLine(place.path, 200)}:${place.line}`)}`,
            ],
      };
    });
}

function wayOf(kind: string | undefined, name: string, place: string | undefined): string {
  switch (kind) {
    case 'ExternalSecret':
    case 'VaultStaticSecret':
      return `The ${kind} at ${place} makes the old one: put the new address into the store, and add one beside it that makes ${name}.`;
    case 'SealedSecret':
      return `The SealedSecret at ${place} makes the old one: seal ${name} and add it beside it.`;
    case 'SOPS Secret':
    case 'SopsSecret':
      return `The ${kind} at ${place} holds the old one: add ${name} beside it, encrypted.`;
    case 'Secret':
      return `The Secret at ${place} holds the old one in clear: make ${name} the way your team makes Secrets, not in a file.`;
    default:
      return 'Where the namespace is rebuilt from files, make it the way your team makes Secrets.';
  }
}

/** Secrets that the entries of a change referred to before. */
export function secretsBefore(change: WantedChange): Set<string> {
  const names = new Set<string>();
  for (const edit of change.edits) {
    if (edit.kind === 'argument' || edit.before === null) continue;
    const { before } = edit;
    for (const name of [
      before.valueFrom?.secretKeyRef?.name,
      before.secret?.secretName,
      ...(before.projected?.sources ?? []).map((one: Json) => one.secret?.name),
    ]) {
      if (name) names.add(String(name));
    }
  }
  return names;
}
