/** Log lines that the current step follows; already sanitised by the engine, and once more here. */
import { type Line, paragraph, span, truncateEnd, truncateMiddle, widthOf, wrapWords } from '../components/line.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { keyName } from './keys.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function logsScreen(view: View): Body {
  const { snapshot, ui, width, glyphs, keymap } = view;
  const filter = ui.logFilter.toLowerCase();
  const { ask } = snapshot;
  // A step that failed follows nothing any more; what came with its failure is its log.
  const last = ask?.kind === 'failure' ? ask.logTail.map((text) => ({ source: ask.service ?? '', text })) : [];
  const all = snapshot.logLines.length > 0 ? snapshot.logLines : last;
  const kept = all.filter((row) => filter === '' || `${row.source} ${row.text}`.toLowerCase().includes(filter));
  const follows = ui.scroll.logs === undefined;
  const source = width >= 90 ? 24 : 8;
  const head: Line[] = [
    [
      span(' Log', 'title'),
      span(` ${glyphs.dot} ${kept.length} ${kept.length === 1 ? 'line' : 'lines'}`, 'muted'),
      span(filter === '' ? '' : ` with "${truncateEnd(ui.logFilter, 24, glyphs.more)}"`, 'key'),
      span(
        follows ? ` ${glyphs.dot} following` : ` ${glyphs.dot} stopped, ${keyName(keymap.bottom[1] ?? 'end')} follows`,
        follows ? 'ok' : 'warn',
      ),
      span(ui.logWrap ? ` ${glyphs.dot} wrapped` : '', 'muted'),
    ],
  ];
  const content = kept.flatMap((row): Line[] => {
    const name = truncateMiddle(row.source, source, glyphs.more);
    const label = span(` ${name}${' '.repeat(source - widthOf(name))} `, 'muted');
    const text = sanitiseLine(row.text);
    const tone = /\b(error|fatal|panic)\b/i.test(text) ? 'bad' : /\bwarn(ing)?\b/i.test(text) ? 'warn' : undefined;
    const room = width - source - 2;
    if (!ui.logWrap) return [[label, span(truncateEnd(text, room, glyphs.more), tone)]];
    return wrapWords(text, room).map((part, index) => [
      index === 0 ? label : span(' '.repeat(source + 2)),
      span(part, tone),
    ]);
  });
  const none =
    filter === '' ? 'No line yet: this step follows no log, or nothing was written.' : 'No line holds that text.';
  return {
    lines: scrolled(view, head, content.length === 0 ? paragraph(none, width - 1, 'muted', 1) : content, 'logs', {
      follow: true,
    }),
  };
}
