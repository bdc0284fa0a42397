import { describe, expect, test } from 'vitest';
import { type ThemeName, themeNameFor, themeOf } from './theme.ts';

type Rgb = readonly [number, number, number];

const hex = (text: string): Rgb => [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16)) as unknown as Rgb;

/** The fixed part of the 256 colours: a cube of six levels, and greys. */
function paletteOf(index: number): Rgb {
  if (index >= 232) return Array(3).fill(8 + (index - 232) * 10) as unknown as Rgb;
  const level = (n: number) => (n === 0 ? 0 : 55 + n * 40);
  const cube = index - 16;
  return [level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)];
}

/** WCAG 2: relative luminance, and the contrast of two colours. */
function luminance(rgb: Rgb): number {
  const [r = 0, g = 0, b = 0] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: Rgb, other: Rgb): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** Backgrounds of xterm, Windows Terminal, VS Code, Ubuntu, Solarized, One Dark, Dracula; and light ones. */
const DARK = ['#000000', '#0c0c0c', '#1e1e1e', '#300a24', '#002b36', '#282c34', '#282a36'];
const LIGHT = ['#ffffff', '#fafafa', '#fdf6e3', '#eeeeee'];

const BACKGROUNDS: readonly (readonly [ThemeName, readonly string[]])[] = [
  ['dark', DARK],
  ['light', LIGHT],
  ['colour-blind', DARK],
  ['colour-blind-light', LIGHT],
];

describe('contrast', () => {
  test('black on white is 21', () => expect(contrast(hex('#000000'), hex('#ffffff'))).toBeCloseTo(21));

  test.each(BACKGROUNDS)('%s: whatever has to be read has at least 4.5 to 1', (name, backgrounds) => {
    const weak: string[] = [];
    for (const [tone, sgr] of Object.entries(themeOf(name).open)) {
      // Rules are lines; a title without a colour is the terminal's own text.
      if (tone === 'rule' || sgr[0] !== 38) continue;
      const index = sgr[2] ?? 0;
      expect(index, `${tone} is of the fixed colours`).toBeGreaterThanOrEqual(16);
      for (const background of backgrounds) {
        const found = contrast(paletteOf(index), hex(background));
        if (found < 4.5) weak.push(`${tone} (${index}) on ${background}: ${found.toFixed(2)}`);
      }
    }
    expect(weak).toEqual([]);
  });

  test.each(['colour-blind', 'colour-blind-light'] as const)(
    '%s tells good from bad by more than red and green',
    (name) => {
      const { ok = [], bad = [] } = themeOf(name).open;
      const [, , blueOfGood] = paletteOf(ok[2] ?? 0);
      const [, , blueOfBad] = paletteOf(bad[2] ?? 0);
      expect(blueOfGood - blueOfBad).toBeGreaterThan(120);
    },
  );
});

test('a terminal that says its background is light gets colours for it', () => {
  expect(themeNameFor(undefined, {})).toBe('terminal');
  expect(themeNameFor(undefined, { COLORFGBG: '15;0' })).toBe('terminal');
  expect(themeNameFor(undefined, { COLORFGBG: '0;15' })).toBe('light');
  expect(themeNameFor(undefined, { COLORFGBG: '0;default;15' })).toBe('light');
  expect(themeNameFor('colour-blind', { COLORFGBG: '0;7' })).toBe('colour-blind-light');
  expect(themeNameFor('dark', { COLORFGBG: '0;15' })).toBe('dark');
});
