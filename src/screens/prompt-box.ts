/** An open prompt, drawn over the foot of the body: the question, what happens, and the one field that is open. */
import { type Line, paragraph, span, truncateEnd } from '../components/line.ts';
import type { Glyphs } from '../components/theme.ts';
import type { Prompt } from './prompt.ts';

export function promptLines(prompt: Prompt, width: number, glyphs: Glyphs): Line[] {
  return [
    [span(glyphs.h.repeat(width), 'warn')],
    [span(` ${truncateEnd(prompt.title, width - 2, glyphs.more)}`, { tone: 'title', bold: true })],
    ...prompt.detail.flatMap((text) => paragraph(text, width - 1, undefined, 1)).slice(0, 5),
    ...(prompt.given === undefined || prompt.given === ''
      ? []
      : [[span(` reason: ${truncateEnd(prompt.given, width - 10, glyphs.more)}`, 'muted')]]),
    field(prompt, width, glyphs),
  ];
}

function field(prompt: Prompt, width: number, glyphs: Glyphs): Line {
  const input = (label: string): Line => {
    const room = Math.max(4, width - label.length - 4);
    const tail = prompt.text.length > room ? `${glyphs.more}${prompt.text.slice(-(room - 1))}` : prompt.text;
    return [span(` ${label} `, 'key'), span(tail), span('_', { inverse: true })];
  };
  switch (prompt.stage) {
    case 'reason':
      return input(prompt.reason === 'required' ? 'Reason, then Enter:' : 'Reason (may be empty), then Enter:');
    case 'typed':
      return input(`Type ${prompt.typed} and Enter:`);
    case 'yes':
      return [span(' [y/N] ', 'key'), span('y, then Enter; anything else sends nothing')];
    case 'enter':
      return [span(' [Enter] ', 'warn'), span('does it; any other key sends nothing')];
  }
}
