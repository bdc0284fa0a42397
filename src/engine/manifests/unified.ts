/** Two texts as `diff -u` compares them. */
import { structuredPatch } from 'diff';

/** Lines of a unified diff with its two headings; empty when nothing differs. */
export function unifiedDiff(path: string, before: string, after: string): string[] {
  const { hunks } = structuredPatch(path, path, before, after, undefined, undefined, { context: 3 });
  if (hunks.length === 0) return [];
  return [
    `--- a/${path}`,
    `+++ b/${path}`,
    ...hunks.flatMap((hunk) => [heading(hunk), ...hunk.lines.map(withoutReturn)]),
  ];
}

interface Range {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
}

/** A range of one line has no length, and an empty one names the line before it. */
function heading({ oldStart, oldLines, newStart, newLines }: Range): string {
  const range = (start: number, length: number) =>
    length === 1 ? String(start) : `${length === 0 ? start - 1 : start},${length}`;
  return `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`;
}

const withoutReturn = (line: string): string => line.replace(/\r$/, '');
