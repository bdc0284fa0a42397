/** Lines to terminal text. Only SGR sequences are written, each span closed again, so that any cut stays clean. */
import type { Line, Span } from './line.ts';
import { asciiText, type Theme } from './theme.ts';

function closeOf(codes: readonly number[]): string {
  const colour = codes.some((code) => code >= 30);
  const weight = codes.some((code) => code === 1 || code === 2);
  const inverse = codes.includes(7);
  return [colour ? '39' : '', weight ? '22' : '', inverse ? '27' : '']
    .filter((code) => code !== '')
    .map((code) => `\u001B[${code}m`)
    .join('');
}

const cache = new Map<string, readonly [string, string]>();

function sgr(part: Span, theme: Theme): readonly [string, string] {
  const key = `${theme.name}|${part.tone ?? ''}|${part.bold ? 1 : 0}${part.inverse ? 1 : 0}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  // A theme without colour keeps its hands off weight and inversion too: NO_COLOR asks for plain text.
  const codes = theme.name === 'none' ? [] : [...(part.tone === undefined ? [] : (theme.open[part.tone] ?? []))];
  if (theme.name !== 'none' && part.bold && !codes.includes(1)) codes.push(1);
  if (theme.name !== 'none' && part.inverse) codes.push(7);
  // 38;5;n is one colour, not three codes: keep the parameters of a tone in one sequence.
  const made = [codes.length === 0 ? '' : `\u001B[${codes.join(';')}m`, closeOf(codes)] as const;
  cache.set(key, made);
  return made;
}

/** One line as terminal text, without a line feed. */
export function paintLine(line: Line, theme: Theme): string {
  let out = '';
  for (const part of line) {
    const { text } = part;
    if (text.trim() === '' && !part.inverse) {
      out += text;
      continue;
    }
    const [open, close] = sgr(part, theme);
    out += open + text + close;
  }
  return out;
}

export function paintLines(lines: readonly Line[], theme: Theme): string {
  return lines.map((line) => paintLine(line, theme)).join('\n');
}

/** The same line in ASCII; an arrow takes two cells there, so fit the line afterwards. */
export function asciiLine(line: Line): Line {
  return line.map((part) => ({ ...part, text: asciiText(part.text) }));
}
