/**
 * Semantic colour tokens and glyphs. A screen says what a thing means (`ok`, `bad`, `muted`), a theme says how it looks;
 * state is always glyph + word + colour, so every theme, `none` included, tells the same story. The terminal's own 16
 * colours are used, because they follow the operator's light or dark background.
 */
export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'muted' | 'title' | 'key' | 'add' | 'remove' | 'accent' | 'rule';

export type ThemeName = 'terminal' | 'dark' | 'light' | 'colour-blind' | 'none';

/** SGR parameters that open a tone, and those that close it. */
export interface Theme {
  readonly name: ThemeName;
  readonly open: Readonly<Partial<Record<Tone, readonly number[]>>>;
}

const THEMES: Readonly<Record<ThemeName, Theme['open']>> = {
  terminal: {
    ok: [32],
    warn: [33],
    bad: [31, 1],
    info: [36],
    muted: [2],
    title: [1],
    key: [36, 1],
    add: [32],
    remove: [31],
    accent: [35],
    rule: [2],
  },
  dark: {
    ok: [92],
    warn: [93],
    bad: [91, 1],
    info: [96],
    muted: [90],
    title: [97, 1],
    key: [96, 1],
    add: [92],
    remove: [91],
    accent: [95],
    rule: [90],
  },
  // Yellow and bright cyan vanish on white: warnings are magenta, keys blue.
  light: {
    ok: [32],
    warn: [35],
    bad: [31, 1],
    info: [34],
    muted: [90],
    title: [30, 1],
    key: [34, 1],
    add: [32],
    remove: [31],
    accent: [36],
    rule: [90],
  },
  // Blue for good and orange for bad (palette of Okabe and Ito) stay apart in every common colour-vision deficiency.
  'colour-blind': {
    ok: [38, 5, 33],
    warn: [38, 5, 220],
    bad: [38, 5, 208, 1],
    info: [38, 5, 81],
    muted: [2],
    title: [1],
    key: [38, 5, 81, 1],
    add: [38, 5, 33],
    remove: [38, 5, 208],
    accent: [38, 5, 175],
    rule: [2],
  },
  none: {},
};

export const THEME_NAMES = Object.keys(THEMES) as ThemeName[];

export function themeOf(name: ThemeName): Theme {
  return { name, open: THEMES[name] };
}

/** Glyphs that are one cell wide in every terminal we know of; no emoji and no variation selectors. */
export interface Glyphs {
  readonly ascii: boolean;
  readonly ok: string;
  readonly bad: string;
  readonly unknown: string;
  readonly running: string;
  readonly todo: string;
  readonly decide: string;
  readonly waived: string;
  readonly skipped: string;
  readonly back: string;
  readonly current: string;
  readonly warn: string;
  readonly arrow: string;
  readonly select: string;
  readonly more: string;
  readonly dot: string;
  readonly full: string;
  readonly empty: string;
  readonly half: string;
  readonly mid: string;
  readonly mark: string;
  readonly h: string;
  readonly v: string;
  readonly down: string;
  readonly up: string;
  readonly cross: string;
  readonly right: string;
  readonly scrollUp: string;
  readonly scrollDown: string;
  /** Eight heights, lowest first. */
  readonly sparks: readonly string[];
}

export const UNICODE: Glyphs = {
  ascii: false,
  ok: '✔',
  bad: '✖',
  unknown: '?',
  running: '◐',
  todo: '○',
  decide: '◇',
  waived: '~',
  skipped: '-',
  back: '↩',
  current: '▶',
  warn: '▲',
  arrow: '→',
  select: '❯',
  more: '…',
  dot: '·',
  full: '█',
  empty: '░',
  half: '▓',
  mid: '▒',
  mark: '┆',
  h: '─',
  v: '│',
  down: '┬',
  up: '┴',
  cross: '┼',
  right: '├',
  scrollUp: '↑',
  scrollDown: '↓',
  sparks: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
};

export const ASCII: Glyphs = {
  ascii: true,
  ok: '+',
  bad: 'x',
  unknown: '?',
  running: '*',
  todo: '.',
  decide: '<',
  waived: '~',
  skipped: '-',
  back: 'r',
  current: '>',
  warn: '!',
  arrow: '->',
  select: '>',
  more: '~',
  dot: '-',
  full: '#',
  empty: '.',
  half: '=',
  mid: '+',
  mark: ':',
  h: '-',
  v: '|',
  down: '+',
  up: '+',
  cross: '+',
  right: '+',
  scrollUp: '^',
  scrollDown: 'v',
  sparks: ['_', '.', ',', '-', '=', '+', '*', '#'],
};

const TO_ASCII: Readonly<Record<string, string>> = {
  '…': '~',
  '→': '->',
  '←': '<-',
  '·': '-',
  '•': '*',
  '×': 'x',
  '≥': '>=',
  '≤': '<=',
  '–': '-',
  '—': '-',
  '’': "'",
  '“': '"',
  '”': '"',
};

/** Text for a terminal that shows ASCII only; what has no likeness becomes `?`. */
export function asciiText(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (char) => TO_ASCII[char] ?? '?');
}

/** Do the locale variables promise UTF-8? Unset means the C locale; Windows terminals do without them. */
export function isUtf8Locale(
  env: Readonly<Record<string, string | undefined>>,
  platform: string = process.platform,
): boolean {
  if (platform === 'win32') return true;
  const { LC_ALL, LC_CTYPE, LANG } = env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}
