/** A change as the operator confirms it. */
import type { ChangePreview, DiffLine } from '../engine/run/model.ts';
import { type Line, paragraph, span, wrapWords } from './line.ts';
import type { Glyphs, Tone } from './theme.ts';

const SIGN: Record<DiffLine['kind'], { readonly mark: string; readonly tone?: Tone }> = {
  context: { mark: ' ', tone: 'muted' },
  remove: { mark: '-', tone: 'remove' },
  add: { mark: '+', tone: 'add' },
  note: { mark: '#', tone: 'info' },
};

/** Hard-wrapped, never cut: what is confirmed must be readable to its end. */
function diffLines(diff: readonly DiffLine[], width: number): Line[] {
  return diff.flatMap((entry) => {
    const { mark, tone } = SIGN[entry.kind];
    const indent = /^ */.exec(entry.text)?.[0].length ?? 0;
    const rows = wrapWords(entry.text.trimStart(), Math.max(10, width - 3 - indent));
    return (rows.length === 0 ? [''] : rows).map((row, index) => [
      span(index === 0 ? ` ${mark} ` : '   ', tone),
      span(' '.repeat(Math.min(indent, Math.max(0, width - 13))) + row, tone),
    ]);
  });
}

/** A diff of more rows than this comes last, so that what departs from the guide is not pushed off the screen. */
const LONG_DIFF = 12;

/** Summary, warnings, diff, departures from the guide, and the exact commands. */
export function previewLines(preview: ChangePreview, width: number, glyphs: Glyphs): Line[] {
  const out: Line[] = [...paragraph(preview.summary, width - 1, 'title', 1)];
  if (preview.alreadyDone) out.push([span(` ${glyphs.ok} nothing to do: the live state is already as wanted`, 'ok')]);
  for (const warning of preview.warnings ?? []) {
    out.push(...prefixed(`${glyphs.warn} warning: ${warning}`, width, 'warn'));
  }
  const diff = preview.diff.length > 0 ? [[] as Line, ...diffLines(preview.diff, width)] : [];
  if (diff.length <= LONG_DIFF) out.push(...diff);
  if (preview.departures && preview.departures.length > 0) {
    out.push([], [span(' not as the guide says', 'title')]);
    for (const text of preview.departures) out.push(...prefixed(text, width, 'info'));
  }
  if (preview.commands.length > 0) {
    out.push([], [span(' the same by hand', 'title')]);
    for (const command of preview.commands) out.push(...prefixed(`$ ${command}`, width, 'muted'));
  }
  if (diff.length > LONG_DIFF) out.push([], [span(' the change', 'title')], ...diff.slice(1));
  return out;
}

function prefixed(text: string, width: number, tone: Tone): Line[] {
  return wrapWords(text, Math.max(10, width - 4)).map((row, index) => [
    span(index === 0 ? ' ' : '   '),
    span(row, tone),
  ]);
}
