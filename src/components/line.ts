/**
 * The grain of every frame: a line of spans. A screen builds exactly as many lines as the terminal has rows, each cut to
 * its columns, so that no frame can be taller or wider than the terminal (an overflowing frame costs Ink its incremental
 * diff and leaves copies in the scrollback). Widths are terminal cells, not code units.
 */
import stringWidth from 'string-width';
import { SIMPLE_CELLS } from './cells.ts';
import type { Tone } from './theme.ts';

/** A run of text in one style. `text` holds no line feed and no escape sequence. */
export interface Span {
  readonly text: string;
  readonly tone?: Tone;
  readonly bold?: boolean;
  readonly inverse?: boolean;
}

export type Line = readonly Span[];

type Style = Omit<Span, 'text'>;

const SIMPLE = new RegExp(`^${SIMPLE_CELLS}*$`);
const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

// ✔ ✖ ▶ ↩ are pictographs with a text presentation: one cell in every terminal, as Ink's own measure says, while
// string-width 7 counts two. What a variation selector or a joiner turns into an emoji stays with string-width.
const TEXT_PICTOGRAPH = /(?!\p{Emoji_Presentation})\p{Extended_Pictographic}(?!\uFE0F|\u200D|\p{Emoji_Modifier})/gu;

function cellsOf(text: string): number {
  return stringWidth(text.replace(TEXT_PICTOGRAPH, '*'));
}

/** Cells that `text` takes in a terminal. */
export function widthOf(text: string): number {
  return SIMPLE.test(text) ? text.length : cellsOf(text);
}

export function lineWidth(line: Line): number {
  let width = 0;
  for (const span of line) width += widthOf(span.text);
  return width;
}

/** A span; `style` is a tone or a full style. */
export function span(text: string, style?: Tone | Style): Span {
  if (style === undefined) return { text };
  return typeof style === 'string' ? { text, tone: style } : { text, ...style };
}

export function textOf(one: Line): string {
  return one.map((part) => part.text).join('');
}

/** The first `cells` cells of `text`; a wide character that would stick out is left out. */
function headOf(text: string, cells: number): string {
  if (cells <= 0) return '';
  if (SIMPLE.test(text)) return text.slice(0, cells);
  let used = 0;
  let out = '';
  for (const { segment } of segmenter.segment(text)) {
    const width = cellsOf(segment);
    if (used + width > cells) break;
    used += width;
    out += segment;
  }
  return out;
}

function tailOf(text: string, cells: number): string {
  if (cells <= 0) return '';
  if (SIMPLE.test(text)) return text.slice(text.length - Math.min(cells, text.length));
  let used = 0;
  let out = '';
  for (const { segment } of [...segmenter.segment(text)].reverse()) {
    const width = cellsOf(segment);
    if (used + width > cells) break;
    used += width;
    out = segment + out;
  }
  return out;
}

/** Cuts at the end: sentences. `…` marks the cut (`~` in ASCII). */
export function truncateEnd(text: string, cells: number, mark = '…'): string {
  if (cells <= 0) return '';
  return widthOf(text) <= cells ? text : headOf(text, cells - 1) + mark;
}

/** Cuts in the middle: names, where both the beginning and the pod's suffix tell things apart. */
export function truncateMiddle(text: string, cells: number, mark = '…'): string {
  if (cells <= 0) return '';
  if (widthOf(text) <= cells) return text;
  if (cells <= 3) return headOf(text, cells - 1) + mark;
  const tail = Math.floor((cells - 1) / 2);
  return headOf(text, cells - 1 - tail) + mark + tailOf(text, tail);
}

/** `text` in exactly `cells` cells, left aligned. */
export function padEnd(text: string, cells: number, mark = '…'): string {
  const cut = truncateEnd(text, cells, mark);
  return cut + ' '.repeat(Math.max(0, cells - widthOf(cut)));
}

/** `text` in exactly `cells` cells, right aligned: numbers. */
export function padStart(text: string, cells: number, mark = '…'): string {
  const cut = truncateEnd(text, cells, mark);
  return ' '.repeat(Math.max(0, cells - widthOf(cut))) + cut;
}

/** A line in exactly `cells` cells: cut with a mark, or filled with blanks. */
export function fitLine(one: Line, cells: number, mark = '…'): Line {
  const total = lineWidth(one);
  if (total === cells) return one;
  if (total < cells) return [...one, { text: ' '.repeat(cells - total) }];
  const out: Span[] = [];
  let left = cells;
  for (const part of one) {
    const width = widthOf(part.text);
    if (width < left) {
      out.push(part);
      left -= width;
      continue;
    }
    const cut = headOf(part.text, left - 1) + mark;
    out.push({ ...part, text: cut + ' '.repeat(Math.max(0, left - widthOf(cut))) });
    break;
  }
  return out;
}

/** Exactly `rows` lines: cut at the end or filled with empty ones. */
export function fitRows(lines: readonly Line[], rows: number): Line[] {
  const out = lines.slice(0, Math.max(0, rows));
  while (out.length < rows) out.push([]);
  return out;
}

/** `left` and `right` on one line, `right` at the right edge; `left` gives way. */
export function spread(left: Line, right: Line, cells: number): Line {
  const rightWidth = lineWidth(right);
  if (rightWidth >= cells) return fitLine(right, cells);
  return [...fitLine(left, cells - rightWidth), ...right];
}

/** Two blocks side by side with a divider, both filled to `rows`. */
export function beside(
  left: readonly Line[],
  right: readonly Line[],
  options: { leftWidth: number; rightWidth: number; rows: number; divider: Span },
): Line[] {
  return Array.from({ length: options.rows }, (_, row) => [
    ...fitLine(left[row] ?? [], options.leftWidth),
    options.divider,
    ...fitLine(right[row] ?? [], options.rightWidth),
  ]);
}

/** Words are not made shorter than this: what is left must still tell one name from another. */
const LEAST_WORD = 12;

/**
 * A sentence in at most `cells` cells that still says what it says: the remark in brackets at its end goes first, then the
 * longest names are cut in their middle, then what comes behind a comma goes. Undefined when that is not enough.
 */
export function squeeze(text: string, cells: number, mark = '…'): string | undefined {
  if (widthOf(text) <= cells) return text;
  const kept = text.replace(/ \([^()]*\)$/, '');
  return shorterNames(kept, cells, mark) ?? shorterNames(kept.replace(/, [^,]*$/, ''), cells, mark);
}

const KIND = /^(deployment|statefulset|daemonset|cronjob|job|pod)\//;

function shorterNames(text: string, cells: number, mark: string): string | undefined {
  const words = text.split(' ');
  // `deployment/auth-service`: the kind says less than the name.
  if (widthOf(text) > cells) for (const [at, word] of words.entries()) words[at] = word.replace(KIND, '');
  while (widthOf(words.join(' ')) > cells) {
    const longest = words.reduce((best, word, at) => (widthOf(word) > widthOf(words[best] ?? '') ? at : best), 0);
    const word = words[longest] ?? '';
    if (widthOf(word) <= LEAST_WORD) return undefined;
    const over = widthOf(words.join(' ')) - cells;
    words[longest] = truncateMiddle(word, Math.max(LEAST_WORD, widthOf(word) - over), mark);
  }
  return words.join(' ');
}

/** A heading in rows of at most `cells` cells: its last span is broken at blanks, and goes on under the first. */
export function wrapHeading(line: Line, cells: number): Line[] {
  const last = line[line.length - 1];
  if (last === undefined || lineWidth(line) <= cells) return [line];
  const before = line.slice(0, -1);
  const words = last.text.split(' ');
  let kept = 0;
  while (kept < words.length && lineWidth(before) + widthOf(words.slice(0, kept + 1).join(' ')) <= cells) kept++;
  if (kept === 0) return [line];
  const rest = words.slice(kept).join(' ');
  return [
    [...before, { ...last, text: words.slice(0, kept).join(' ') }],
    ...wrapWords(rest, cells - 3).map((row): Line => [{ text: '   ' }, { ...last, text: row }]),
  ];
}

/** Where an address, a path or a list may be broken: behind these. */
const BREAKS = /[/@?&,;=]/;

/** As much of a word that is too long as fits: to its last separator when that is not far from the end, else to the last cell. */
function breakOf(word: string, cells: number): string {
  const head = headOf(word, cells);
  for (let at = head.length - 1; at >= head.length / 2; at--) {
    if (BREAKS.test(head[at] ?? '')) return head.slice(0, at + 1);
  }
  return head || word.slice(0, 1);
}

/** Breaks a sentence at blanks into lines of at most `cells` cells; a longer word is broken behind a separator, or hard. */
export function wrapWords(text: string, cells: number): string[] {
  if (cells <= 0) return [];
  const out: string[] = [];
  let current = '';
  for (let word of text.split(/ +/)) {
    while (widthOf(word) > cells) {
      if (current !== '') {
        out.push(current);
        current = '';
      }
      const head = breakOf(word, cells);
      out.push(head);
      word = word.slice(head.length);
    }
    if (word === '' && current === '') continue;
    const joined = current === '' ? word : `${current} ${word}`;
    if (widthOf(joined) <= cells) current = joined;
    else {
      out.push(current);
      current = word;
    }
  }
  if (current !== '') out.push(current);
  return out;
}

/** `wrapWords` as lines of one style, each indented by `indent` blanks. */
export function paragraph(text: string, cells: number, style?: Tone | Style, indent = 0): Line[] {
  const blank = ' '.repeat(indent);
  return wrapWords(text, cells - indent).map((row) => [span(blank), span(row, style)]);
}
