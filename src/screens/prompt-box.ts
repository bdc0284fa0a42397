/** An open prompt, drawn over the foot of the body: the question, what happens, and the one field that is open. */
import { type Line, paragraph, span, truncateEnd, wrapWords } from '../components/line.ts';
import type { Glyphs } from '../components/theme.ts';
import type { Prompt } from './prompt.ts';

/** At most `rows` lines; the field is always the last of them, what happens gives way. */
export function promptLines(prompt: Prompt, width: number, glyphs: Glyphs, rows = 12): Line[] {
  const title = paragraph(prompt.title, width - 1, { tone: 'title', bold: true }, 1);
  const foot = [
    ...(prompt.given === undefined || prompt.given === ''
      ? []
      : [[span(` reason: ${truncateEnd(prompt.given, width - 10, glyphs.more)}`, 'muted')] as Line]),
    ...field(prompt, width, glyphs),
  ];
  const detail = prompt.detail.flatMap((text) => paragraph(text, width - 1, undefined, 1));
  return [
    [span(glyphs.h.repeat(width), 'warn')],
    ...title,
    ...detail.slice(0, Math.max(0, Math.min(5, rows - 1 - title.length - foot.length))),
    ...foot,
  ].slice(-rows) as Line[];
}

function field(prompt: Prompt, width: number, glyphs: Glyphs): Line[] {
  const input = (label: string): Line[] => {
    const room = Math.max(4, width - label.length - 4);
    const tail = prompt.text.length > room ? `${glyphs.more}${prompt.text.slice(-(room - 1))}` : prompt.text;
    return [[span(` ${label} `, 'key'), span(tail), span('_', { inverse: true })]];
  };
  const choice = (keys: string, tone: 'key' | 'warn', text: string): Line[] =>
    wrapWords(text, width - keys.length - 1).map((row, index) => [
      span(index === 0 ? keys : ' '.repeat(keys.length), tone),
      span(row),
    ]);
  switch (prompt.stage) {
    case 'reason':
      return input(prompt.reason === 'required' ? 'Reason, then Enter:' : 'Reason (may be empty), then Enter:');
    case 'typed':
      return input(`Type ${prompt.typed} and Enter:`);
    case 'yes':
      return choice(' [y/N] ', 'key', 'y, then Enter; anything else sends nothing');
    case 'enter':
      return choice(' [Enter] ', 'warn', 'does it; any other key sends nothing');
  }
}
