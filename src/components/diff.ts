/** A change as the operator confirms it. */
import type { ChangePreview, DiffLine } from '../engine/run/model.ts';
import { type Line, paragraph, span, wrapWords } from './line.ts';
import type { Glyphs, Tone } from './theme.ts';

const SIGN: Record<DiffLine['kind'], { readonly mark: string; readonly tone?: Tone }> = {
  title: { mark: ' ', tone: 'title' },
  context: { mark: '   ', tone: 'muted' },
  remove: { mark: ' - ', tone: 'remove' },
  add: { mark: ' + ', tone: 'add' },
  note: { mark: ' # ', tone: 'info' },
};

/** Hard-wrapped, never cut: what is confirmed must be readable to its end. A title has room above it. */
function diffLines(diff: readonly DiffLine[], width: number): Line[] {
  return diff.flatMap((entry, at) => {
    const { mark, tone } = SIGN[entry.kind];
    const indent = /^ */.exec(entry.text)?.[0].length ?? 0;
    const rows = wrapWords(entry.text.trimStart(), Math.max(10, width - 3 - indent));
    const lines: Line[] = (rows.length === 0 ? [''] : rows).map((row, index) => [
      span(index === 0 ? mark : '   ', tone),
      span(' '.repeat(Math.min(indent, Math.max(0, width - 13))) + row, tone),
    ]);
    const apart = entry.kind === 'title' && at > 0 && diff[at - 1]?.kind !== 'title';
    return apart ? [[], ...lines] : lines;
  });
}

/** More rows than this come last, so that what departs from the guide is not pushed off the screen. */
const LONG = 12;

interface Part {
  readonly heading?: string;
  readonly lines: readonly Line[];
}

/** A preview of hundreds of services takes longer to wrap than a frame may take, and stands there until it is answered. */
const wrapped = new WeakMap<
  ChangePreview,
  { readonly width: number; readonly glyphs: Glyphs; readonly lines: Line[] }
>();

/** Summary, warnings, diff, departures from the guide, and the exact commands; a long diff and long commands at the end. */
export function previewLines(preview: ChangePreview, width: number, glyphs: Glyphs): readonly Line[] {
  const known = wrapped.get(preview);
  if (known?.width === width && known.glyphs === glyphs) return known.lines;
  const lines = linesOf(preview, width, glyphs);
  wrapped.set(preview, { width, glyphs, lines });
  return lines;
}

function linesOf(preview: ChangePreview, width: number, glyphs: Glyphs): Line[] {
  const out: Line[] = [...paragraph(preview.summary, width - 1, 'title', 1)];
  if (preview.alreadyDone) out.push([span(` ${glyphs.ok} nothing to do: the live state is already as wanted`, 'ok')]);
  for (const warning of preview.warnings ?? []) {
    out.push(...prefixed(`${glyphs.warn} warning: ${warning}`, width, 'warn'));
  }
  const diff = diffLines(preview.diff, width);
  const long = diff.length >= LONG;
  const parts: Part[] = [
    long ? { heading: 'the change', lines: diff } : { lines: diff },
    {
      heading: 'not as the guide says',
      lines: (preview.departures ?? []).flatMap((text) => prefixed(text, width, 'info')),
    },
    {
      heading: 'the same by hand',
      lines: preview.commands.flatMap((command) => prefixed(`$ ${command}`, width, 'muted')),
    },
  ];
  const later = (part: Part) => part.lines.length >= LONG;
  for (const { heading, lines } of [...parts.filter((one) => !later(one)), ...parts.filter(later)]) {
    if (lines.length === 0) continue;
    out.push([], ...(heading === undefined ? [] : [[span(` ${heading}`, 'title')]]), ...lines);
  }
  return out;
}

function prefixed(text: string, width: number, tone: Tone): Line[] {
  return wrapWords(text, Math.max(10, width - 4)).map((row, index) => [
    span(index === 0 ? ' ' : '   '),
    span(row, tone),
  ]);
}
