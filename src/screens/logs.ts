/** Logs of what is under way, followed while this screen is open; sanitised by the engine, and once more here. */
import { type Line, paragraph, span, truncateEnd, truncateMiddle, widthOf, wrapWords } from '../components/line.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { keyName } from './keys.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function logsScreen(view: View): Body {
  const { snapshot, ui, width, glyphs, keymap } = view;
  const filter = ui.logFilter.toLowerCase();
  const { ask } = snapshot;
  // The pods of a step that failed may be gone: what came with its failure is their log.
  const last = ask?.kind === 'failure' ? ask.logTail.map((text) => ({ source: ask.service ?? '', text })) : [];
  const told = new Set(last.map((row) => row.text));
  const follows = ui.scroll.logs === undefined;
  const lines = follows ? snapshot.logLines : (ui.logStopped ?? snapshot.logLines);
  const all = [...last, ...lines.filter((row) => !told.has(row.text))];
  const kept = all.filter((row) => filter === '' || `${row.source} ${row.text}`.toLowerCase().includes(filter));
  const source = width >= 160 ? 40 : width >= 90 ? 24 : 8;
  const head: Line[] = [
    [
      span(' Log', 'title'),
      span(` ${glyphs.dot} ${kept.length} ${kept.length === 1 ? 'line' : 'lines'}`, 'muted'),
      span(filter === '' ? '' : ` with "${truncateEnd(ui.logFilter, 24, glyphs.more)}"`, 'key'),
      span(
        follows
          ? followed(snapshot, width, glyphs)
          : ` ${glyphs.dot} stopped, ${keyName(keymap.bottom[1] ?? 'end')} follows${newer(snapshot.logLines, lines)}`,
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
  const none = filter === '' ? emptyLog(snapshot) : 'No line holds that text.';
  return {
    lines: scrolled(view, head, content.length === 0 ? paragraph(none, width - 1, 'muted', 1) : content, 'logs', {
      follow: true,
    }),
  };
}

/** ` · following cart-7d4b9-x2x1z and 3 more`; nothing where there is nothing to follow. */
function followed({ following }: RunSnapshot, width: number, { dot, more }: View['glyphs']): string {
  const [first, ...others] = following?.sources ?? [];
  if (following !== undefined && first === undefined) return '';
  const whose = first === undefined || width < 80 ? '' : ` ${truncateMiddle(first, 30, more)}`;
  return ` ${dot} following${whose}${whose !== '' && others.length > 0 ? ` and ${others.length} more` : ''}`;
}

/** ` (12 newer)` behind the last of the lines that are shown. */
function newer(now: RunSnapshot['logLines'], shown: RunSnapshot['logLines']): string {
  const last = shown.at(-1);
  const count = last === undefined ? now.length : now.length - 1 - now.lastIndexOf(last);
  return count === 0 ? '' : ` (${count} newer)`;
}

/** Why there is no line. */
export function emptyLog({ following }: Pick<RunSnapshot, 'following'>): string {
  if (following === undefined) return 'Looking for the pods of what is under way.';
  if (following.problem !== undefined) return `The pods can't be listed: ${following.problem}`;
  const { sources } = following;
  if (sources.length === 0) return 'Nothing to follow: no pooler runs yet, and no service is on its way.';
  return `Nothing was written yet by ${sources.join(', ')}.`;
}
