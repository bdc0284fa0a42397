/** Passwords that an edit takes out of a file, and where they come from when it is led back: from Git, never from the cluster. */
import { parseDsn } from '../kube/dsn.ts';
import type { Json } from '../kube/types.ts';
import { nodeAt, parseFile } from './documents.ts';
import { type PlacedEdit, templateIn } from './edit-file.ts';
import { listPath, standing, valueAt } from './entry.ts';
import { olderTexts } from './git.ts';
import { type Candidate, ParsedFiles } from './parsed-files.ts';
import { candidatesOf } from './place.ts';
import type { WantedChange } from './types.ts';

/** An entry of variables, or an argument, with a password in clear. */
function hasPassword(value: Json): boolean {
  const text = typeof value === 'string' ? value : value?.value;
  if (typeof text !== 'string') return false;
  const parts = [text, ...text.split(/\s+|=(?=[a-z+:]+:\/\/)/i)];
  return parts.some((part) => (parseDsn(part)?.passwordSpans.length ?? 0) > 0);
}

/** Would this edit write a password that the file does not hold now? */
export const bringsPassword = ({ move }: Pick<PlacedEdit, 'move'>): boolean =>
  move.to !== null && hasPassword(move.to) && !hasPassword(move.from);

/** Does it take one out? */
export const leavesPassword = ({ move }: Pick<PlacedEdit, 'move'>): boolean =>
  move.from !== null && hasPassword(move.from) && !hasPassword(move.to);

/** The old value as the newest version in Git wrote it that had it. */
export async function oldWords(
  root: string,
  path: string,
  change: WantedChange,
  one: PlacedEdit,
  namespace: string,
): Promise<string | undefined> {
  for await (const text of olderTexts(root, path)) {
    const parsed = parseFile(text);
    if (!parsed) continue;
    for (const candidate of candidatesOf(new ParsedFiles([{ path, parsed }]), change, namespace)) {
      const found = wordsIn(candidate, one);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function wordsIn({ file: { parsed }, object }: Candidate, { edit, move }: PlacedEdit): string | undefined {
  const template = templateIn(object);
  const value = valueAt(parsed.values[object.document], template);
  const { state, index } = standing(value, edit, { from: move.to, to: move.from });
  if (state !== 'from' || index === undefined) return undefined;
  const entry = [...template, ...listPath(value, edit)!, index, ...(edit.kind === 'env' ? ['value'] : [])];
  const range = nodeAt(parsed.documents[object.document]!, entry)?.range;
  const words = range && parsed.text.slice(range[0], range[1]);
  // A text of several lines is indented as its place was; what can't be put elsewhere is written anew.
  if (words?.includes('\n')) return JSON.stringify(edit.kind === 'env' ? move.to.value : move.to);
  return words ?? undefined;
}
