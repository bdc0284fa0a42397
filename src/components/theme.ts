/**
 * Semantic colour tokens and glyphs. A screen says what a thing means (`ok`, `bad`, `muted`), a theme says how it looks;
 * state is always glyph + word + colour, so every theme, `none` included, tells the same story. `terminal` uses the terminal's
 * own 16 colours, because they follow the operator's palette; the others are known colours with a known contrast.
 */
export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'muted' | 'title' | 'key' | 'add' | 'remove' | 'accent' | 'rule';

export type ThemeName = 'terminal' | 'dark' | 'light' | 'colour-blind' | 'colour-blind-light' | 'none';

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
  // From the fixed part of the 256 colours: what a terminal makes of the first 16 nobody knows, bright black least of all.
  dark: {
    ok: [38, 5, 114],
    warn: [38, 5, 221],
    bad: [38, 5, 210, 1],
    info: [38, 5, 117],
    muted: [38, 5, 248],
    title: [38, 5, 231, 1],
    key: [38, 5, 117, 1],
    add: [38, 5, 114],
    remove: [38, 5, 210],
    accent: [38, 5, 183],
    rule: [38, 5, 242],
  },
  light: {
    ok: [38, 5, 22],
    warn: [38, 5, 94],
    bad: [38, 5, 124, 1],
    info: [38, 5, 25],
    muted: [38, 5, 240],
    title: [1],
    key: [38, 5, 25, 1],
    add: [38, 5, 22],
    remove: [38, 5, 124],
    accent: [38, 5, 90],
    rule: [38, 5, 248],
  },
  // Blue for good and orange for bad (after the palette of Okabe and Ito) stay apart in every common colour-vision deficiency.
  'colour-blind': {
    ok: [38, 5, 75],
    warn: [38, 5, 228],
    bad: [38, 5, 208, 1],
    info: [38, 5, 159],
    muted: [38, 5, 248],
    title: [1],
    key: [38, 5, 159, 1],
    add: [38, 5, 75],
    remove: [38, 5, 208],
    accent: [38, 5, 218],
    rule: [38, 5, 242],
  },
  'colour-blind-light': {
    ok: [38, 5, 25],
    warn: [38, 5, 53],
    bad: [38, 5, 94, 1],
    info: [38, 5, 24],
    muted: [38, 5, 240],
    title: [1],
    key: [38, 5, 24, 1],
    add: [38, 5, 25],
    remove: [38, 5, 94],
    accent: [38, 5, 90],
    rule: [38, 5, 248],
  },
  none: {},
};

export const THEME_NAMES = Object.keys(THEMES) as ThemeName[];

/**
 * The theme to draw with. Terminals that say what their background is (`COLORFGBG`, `fg;bg` in numbers of the 16 colours) get
 * one for it: on white the 16 colours' yellow and green are hardly read.
 */
export function themeNameFor(
  asked: ThemeName | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ThemeName {
  const background = /;(\d{1,2})$/.exec(env.COLORFGBG ?? '')?.[1];
  const light = background !== undefined && (background === '7' || Number(background) > 8);
  if (asked === 'colour-blind') return light ? 'colour-blind-light' : asked;
  return asked ?? (light ? 'light' : 'terminal');
}

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
