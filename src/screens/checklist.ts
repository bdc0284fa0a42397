/** The guide's checklist after every phase, each item with what was seen. */
import { shortTime } from '../components/format.ts';
import { type Line, padEnd, paragraph, span, truncateEnd } from '../components/line.ts';
import { verdictSign } from '../components/states.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function checklistScreen(view: View): Body {
  const { snapshot, width, glyphs } = view;
  const head: Line[] = [[span(' Checklist', 'title'), span('   after every phase, each item observed', 'muted')], []];
  const phases = [...new Set(snapshot.checklist.map((item) => item.phase))];
  const content = phases.flatMap((id): Line[] => {
    const phase = snapshot.phases.find((one) => one.id === id);
    return [
      [span(` ${phase === undefined ? id : `${phase.number} ${phase.title}`}`, 'title')],
      ...snapshot.checklist
        .filter((item) => item.phase === id)
        .flatMap((item): Line[] => {
          const sign = verdictSign(item.verdict, glyphs);
          return [
            [
              span(` ${sign.glyph} `, sign.tone),
              span(padEnd(sign.word, 8), sign.tone),
              span(truncateEnd(item.item, Math.max(10, width - 13), glyphs.more)),
            ],
            ...paragraph(
              item.at === undefined ? item.observed : `${shortTime(item.at)}  ${item.observed}`,
              width - 1,
              'muted',
              12,
            ),
          ];
        }),
      [],
    ];
  });
  return {
    lines: scrolled(
      view,
      head,
      content.length === 0 ? [[span(' Nothing yet: the first list is filled in after phase 1.', 'muted')]] : content,
      'checklist',
    ),
  };
}
