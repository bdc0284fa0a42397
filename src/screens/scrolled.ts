/** A scrolling body: head rows that stay, a window of the rest, and where in it one is. */
import { fitRows, type Line, lineWidth, span, spread, wrapHeading } from '../components/line.ts';
import { windowAt } from '../components/window.ts';
import type { View } from './screen.ts';

/** Exactly `rows` lines. `offset` undefined means the top, or the end when `follow`. */
export function scrolled(
  view: View,
  head: readonly Line[],
  content: readonly Line[],
  key: string,
  options: { follow?: boolean; rows?: number } = {},
): Line[] {
  const rows = options.rows ?? view.height;
  const scrolls = content.length > rows - head.length;
  const beside = scrolls ? view.width - placeWidth(content.length) : view.width;
  // A heading stays in one row where a shorter word about the place lets it.
  const short = scrolls && headWidth(head) > beside && headWidth(head) <= view.width - shortWidth(content.length);
  const top = headRows(head, short ? view.width - shortWidth(content.length) : beside);
  const room = Math.max(1, rows - top.length);
  const offset = view.ui.scroll[key] ?? (options.follow ? Number.MAX_SAFE_INTEGER : 0);
  const { start, end, above, below } = windowAt(offset, content.length, room);
  // The next key needs to know how far the list goes.
  view.limits.set(key, Math.max(0, content.length - room));
  const { glyphs } = view;
  const place =
    above + below === 0
      ? ''
      : `${above > 0 ? glyphs.scrollUp : ' '}${below > 0 ? glyphs.scrollDown : ' '} ${short ? `${end}/${content.length}` : `${start + 1}-${end} of ${content.length}`} `;
  const first = top[0];
  const topped: Line[] =
    first === undefined || place === ''
      ? [...top]
      : [spread(wholeSpans(first, view.width - place.length), [span(place, 'muted')], view.width), ...top.slice(1)];
  return fitRows([...topped, ...content.slice(start, end)], rows);
}

/** Cells of `↑↓ 99-99 of 99 `, at most. */
const placeWidth = (total: number): number => 9 + 3 * String(total).length;

/** Cells of `↑↓ 99/99 `, at most. */
const shortWidth = (total: number): number => 5 + 2 * String(total).length;

/** Cells of the first row of a heading, without the remarks that may go. */
const headWidth = ([first]: readonly Line[]): number =>
  first === undefined ? 0 : lineWidth(first.filter((part, index) => index === 0 || part.tone !== 'muted'));

/** A heading that does not fit goes on in a second row: half of one is none. */
function headRows(head: readonly Line[], cells: number): Line[] {
  const [first, ...rest] = head;
  return first === undefined ? [] : [...wrapHeading(wholeSpans(first, cells), cells), ...rest];
}

/** A remark behind a heading goes as a whole where there is no room for it: half of one helps nobody. */
export function wholeSpans(line: Line, cells: number): Line {
  let kept = line;
  while (kept.length > 1 && kept[kept.length - 1]?.tone === 'muted' && lineWidth(kept) > cells)
    kept = kept.slice(0, -1);
  return lineWidth(kept) > 0 ? kept : [span(' ')];
}
