// Draws frames of a cast as SVG: the terminal's cells as text and rectangles, nothing from the network, no font embedded.
import xterm from '@xterm/headless';

const CELL = { width: 8.4, height: 18 };
const PAD = 14;
const BACK = '#10141a';
const FORE = '#d7dde4';
const ANSI = [
  ...['#2b3038', '#e5707a', '#7fc98f', '#e0b765', '#6fa8f0', '#c792ea', '#63c7d6', '#d7dde4'],
  ...['#5d6673', '#ff8f98', '#9fe0ad', '#f5d08a', '#92c1ff', '#dcb2f5', '#8ce0ec', '#ffffff'],
];

/** A colour of the 256-colour palette. */
function palette(index) {
  if (index < 16) return ANSI[index];
  if (index >= 232) {
    const grey = (8 + (index - 232) * 10).toString(16).padStart(2, '0');
    return `#${grey}${grey}${grey}`;
  }
  const level = (n) => (n === 0 ? 0 : 55 + n * 40).toString(16).padStart(2, '0');
  const cube = index - 16;
  return `#${level(Math.floor(cube / 36))}${level(Math.floor(cube / 6) % 6)}${level(cube % 6)}`;
}

const xml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function colourOf(cell, which) {
  const rgb = which === 'fg' ? cell.isFgRGB() : cell.isBgRGB();
  const indexed = which === 'fg' ? cell.isFgPalette() : cell.isBgPalette();
  const value = which === 'fg' ? cell.getFgColor() : cell.getBgColor();
  if (rgb) return `#${value.toString(16).padStart(6, '0')}`;
  if (indexed) return palette(value);
  return undefined;
}

/** The cells of a row that look alike, in one piece each. */
function piecesOf(line, columns) {
  const pieces = [];
  for (let x = 0; x < columns; x++) {
    const cell = line.getCell(x);
    if (cell === undefined || cell.getWidth() === 0) continue;
    const swap = Boolean(cell.isInverse());
    const fore = colourOf(cell, 'fg') ?? FORE;
    const back = colourOf(cell, 'bg');
    const style = {
      fill: swap ? (back ?? BACK) : fore,
      back: swap ? fore : back,
      bold: Boolean(cell.isBold()),
      dim: Boolean(cell.isDim()),
    };
    const key = JSON.stringify(style);
    const last = pieces.at(-1);
    const text = cell.getChars() || ' ';
    if (last?.key === key) {
      last.text += text;
      last.cells += cell.getWidth();
    } else pieces.push({ ...style, key, x, text, cells: cell.getWidth() });
  }
  return pieces;
}

/** The screen of a terminal as one SVG document. */
export function svgOf(term, title) {
  const { cols, rows } = term;
  const width = Math.round(cols * CELL.width + 2 * PAD);
  const height = rows * CELL.height + 2 * PAD;
  const { active } = term.buffer;
  const out = [];
  for (let y = 0; y < rows; y++) {
    const line = active.getLine(active.viewportY + y);
    if (line === undefined) continue;
    const top = PAD + y * CELL.height;
    for (const piece of piecesOf(line, cols)) {
      const left = (PAD + piece.x * CELL.width).toFixed(1);
      const wide = (piece.cells * CELL.width).toFixed(1);
      if (piece.back !== undefined) {
        out.push(`<rect x="${left}" y="${top}" width="${wide}" height="${CELL.height}" fill="${piece.back}"/>`);
      }
      if (piece.text.trim() === '') continue;
      const weight = piece.bold ? ' font-weight="bold"' : '';
      const dim = piece.dim ? ' opacity="0.6"' : '';
      out.push(
        `<text x="${left}" y="${top + 13.5}" fill="${piece.fill}" textLength="${wide}" lengthAdjust="spacingAndGlyphs"${weight}${dim}>${xml(piece.text)}</text>`,
      );
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${xml(title)}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${BACK}"/>`,
    '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" xml:space="preserve">',
    ...out,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Header and events of a cast file's text. */
export function parseCast(text) {
  const [first = '', ...rest] = text.trimEnd().split('\n');
  return { header: JSON.parse(first), events: rest.map((line) => JSON.parse(line)) };
}

/** Plays a cast; calls `look` after every event with the time, the terminal, and its text. */
export async function playCast(text, look) {
  const { header, events } = parseCast(text);
  const term = new xterm.Terminal({ cols: header.width, rows: header.height, allowProposedApi: true, scrollback: 500 });
  for (const [at, kind, data] of events) {
    if (kind !== 'o') continue;
    await new Promise((resolve) => term.write(data, resolve));
    if (look({ at, term, screen: screenOf(term) }) === 'stop') break;
  }
  return { header, term };
}

export function screenOf(term) {
  const { active } = term.buffer;
  return Array.from(
    { length: term.rows },
    (_, y) => active.getLine(active.viewportY + y)?.translateToString(true) ?? '',
  ).join('\n');
}
