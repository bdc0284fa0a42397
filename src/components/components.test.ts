import { describe, expect, test } from 'vitest';
import { progressBar, sparkline, stackedBar } from './bars.ts';
import { axisEnd, bucket, chart } from './chart.ts';
import { clockTime, compact, duration, limitWords } from './format.ts';
import { gateLines } from './gates.ts';
import {
  fitLine,
  lineWidth,
  padStart,
  span,
  squeeze,
  textOf,
  truncateMiddle,
  widthOf,
  wrapHeading,
  wrapWords,
} from './line.ts';
import { asciiLine, paintLine } from './paint.ts';
import { ASCII, isUtf8Locale, THEME_NAMES, themeOf, UNICODE } from './theme.ts';
import { windowAround, windowAt } from './window.ts';

const reading = (point: { value: number }) => point.value;

describe('widths', () => {
  test('glyphs of the themes are one cell, wide characters two, combining ones none', () => {
    for (const glyph of Object.values(UNICODE).flat()) {
      if (typeof glyph === 'string') expect(widthOf(glyph), glyph).toBe(1);
    }
    expect(widthOf('集群')).toBe(4);
    expect(widthOf('e\u0301')).toBe(1);
  });

  test('a cut never takes half a wide character', () => {
    const line = fitLine([span('ab集群cd')], 5);
    expect(textOf(line)).toBe('ab集…');
    expect(lineWidth(line)).toBe(5);
    expect(lineWidth(fitLine([span('a集群')], 3))).toBe(3);
  });

  test('names are cut in the middle, numbers are right aligned', () => {
    expect(truncateMiddle('notification-service-6f9d7c5b44-x2x4k', 15)).toBe('notific…4-x2x4k');
    expect(truncateMiddle('short', 15)).toBe('short');
    expect(padStart('42', 5)).toBe('   42');
  });

  test('a sentence that must be shorter loses its remark, then the middle of its names, and keeps its verb', () => {
    const text = '1 new pod of notification-service to become Ready (readiness probe)';
    expect(squeeze(text, 80)).toBe(text);
    expect(squeeze(text, 60)).toBe('1 new pod of notification-service to become Ready');
    expect(squeeze(text, 45)).toBe('1 new pod of notifica…service to become Ready');
    expect(squeeze(text, 30)).toBeUndefined();
    expect(squeeze('1 new pod of deployment/auth-service to become Ready', 44)).toBe(
      '1 new pod of auth-service to become Ready',
    );
    expect(squeeze('the end of the watch, a look every 30 s', 30)).toBe('the end of the watch');
  });

  test('a heading that is too long goes on beneath itself', () => {
    const heading = [span(' x ', 'bad'), span('auth-service does not start with the pooler', 'title')];
    expect(wrapHeading(heading, 60).map(textOf)).toEqual([' x auth-service does not start with the pooler']);
    expect(wrapHeading(heading, 30).map(textOf)).toEqual([' x auth-service does not start', '   with the pooler']);
  });

  test('an address breaks behind a separator where there is one', () => {
    expect(wrapWords('DATABASE_URL=postgresql://nova_user:***@postgres:5432/nova', 50)).toEqual([
      'DATABASE_URL=postgresql://nova_user:***@',
      'postgres:5432/nova',
    ]);
  });

  test('sentences break at blanks, long words hard', () => {
    expect(wrapWords('aa bbbbbbb cc', 5)).toEqual(['aa', 'bbbbb', 'bb cc']);
    expect(wrapWords('', 5)).toEqual([]);
  });
});

describe('pictures', () => {
  test('a progress bar is full only when it is done', () => {
    expect(progressBar(99, 100, 10, UNICODE)).toBe('█████████░');
    expect(progressBar(100, 100, 10, UNICODE)).toBe('██████████');
    expect(progressBar(0, 0, 3, UNICODE)).toBe('░░░');
  });

  test('a sparkline shows the newest values at the right and a gap as a gap', () => {
    expect(sparkline([0, 4, Number.NaN, 8], 6, UNICODE)).toBe('  ▁▄ █');
    expect(sparkline([1, 8], 2, ASCII)).toBe('_#');
  });

  test('a stacked bar shows every part that is not nothing', () => {
    const bar = stackedBar(
      [
        { value: 1, glyph: 'a' },
        { value: 150, glyph: 'b' },
        { value: 0, glyph: 'c' },
      ],
      200,
      20,
      UNICODE,
    );
    expect(textOf(bar)).toBe(`a${'b'.repeat(15)}${'░'.repeat(4)}`);
  });

  test('an axis stands still until it is full, and is never less than two thirds full then', () => {
    let end = axisEnd(0, 0, 60);
    expect(end).toBe(60_000);
    for (let last = 0; last < 5 * 3_600_000; last += 2000) {
      const next = axisEnd(0, last, 60);
      expect(next).toBeGreaterThan(last);
      if (next !== end) expect([last >= end, (last / next) * 3 + 0.1 >= 2]).toEqual([true, true]);
      end = next;
    }
    const points = Array.from({ length: 40 }, (_, n) => ({ at: n * 2000, value: (n * 7) % 11 }));
    const drawn = (count: number) => bucket(points.slice(0, count), reading, 0, axisEnd(0, (count - 1) * 2000, 60), 60);
    // A sample more changes what comes after the one before it, and nothing to its left.
    expect(drawn(39).slice(0, 50)).toEqual(drawn(40).slice(0, 50));
  });

  test('a chart keeps the worst value of each span of time', () => {
    const points = [1, 9, 2, 3].map((value, n) => ({ at: n * 10, value }));
    expect(bucket(points, reading, 0, 40, 2)).toEqual([9, 3]);
    const apart = [
      { at: 0, value: 1 },
      { at: 20, value: 2 },
      { at: 50, value: 3, gap: true },
    ];
    expect(bucket(apart, reading, 0, 60, 6)).toEqual([1, 1, 2, Number.NaN, Number.NaN, 3]);
    const lines = chart(
      points,
      { title: 't', unit: '', tone: 'ok', of: reading, width: 20, rows: 3, from: 0, to: 30, marks: [] },
      UNICODE,
    );
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(lineWidth(line)).toBeLessThanOrEqual(20);
  });
});

describe('words', () => {
  test('times', () => {
    expect([400, 14_000, 250_000, 14_340_000, 187_200_000].map(duration)).toEqual([
      '0.4 s',
      '14 s',
      '4 m 10 s',
      '3 h 59 m',
      '2 d 4 h',
    ]);
    expect([30_000, 300_000, 14_400_000].map(limitWords)).toEqual(['30 s', '5 m', '4 h']);
    expect(clockTime(2_472_000)).toBe('00:41:12');
    expect(clockTime(-5)).toBe('00:00:00');
  });

  test('numbers', () => {
    expect([7, 1.25, 212, 4210, 38_000, 1_200_000, undefined].map(compact)).toEqual([
      '7',
      '1.3',
      '212',
      '4.2k',
      '38k',
      '1.2M',
      '-',
    ]);
  });
});

describe('windows', () => {
  test('stay inside the list', () => {
    expect(windowAt(Number.MAX_SAFE_INTEGER, 10, 4)).toEqual({ start: 6, end: 10, above: 6, below: 0 });
    expect(windowAround(0, 3, 10)).toEqual({ start: 0, end: 3, above: 0, below: 0 });
  });
});

describe('paint', () => {
  test('closes what it opens, in every theme', () => {
    for (const name of THEME_NAMES) {
      const text = paintLine([span('x', { tone: 'bad', bold: true, inverse: true }), span(' y')], themeOf(name));
      if (name === 'none') expect(text).toBe('x y');
      else expect(text).toMatch(/^\u001B\[[0-9;]+mx\u001B\[39m\u001B\[22m\u001B\[27m y$/);
    }
  });

  test('good and bad differ in every theme with colour', () => {
    for (const name of THEME_NAMES.filter((one) => one !== 'none')) {
      expect(themeOf(name).open.ok).not.toEqual(themeOf(name).open.bad);
    }
  });

  test('ASCII holds no other character', () => {
    expect(textOf(asciiLine([span('a → b · c × 集')]))).toBe('a -> b - c x ?');
    for (const glyph of Object.values(ASCII).flat())
      if (typeof glyph === 'string') expect(glyph).toMatch(/^[\x20-\x7e]+$/);
  });
});

test('the locale says whether there is UTF-8', () => {
  expect(isUtf8Locale({ LANG: 'en_GB.UTF-8' }, 'linux')).toBe(true);
  expect(isUtf8Locale({ LANG: 'en_GB.UTF-8', LC_ALL: 'C' }, 'linux')).toBe(false);
  expect(isUtf8Locale({}, 'linux')).toBe(false);
  expect(isUtf8Locale({}, 'win32')).toBe(true);
});

test('what frames are drawn with is measured as one cell each, fast or slow', () => {
  const drawn = 'äß–—…→↓─│┬┴█▓░▁▇●○◐◇▲▶✔✖⠋';
  for (const char of drawn) {
    expect(widthOf(char)).toBe(1);
    // A selector or a joiner takes the slow way.
    expect(widthOf(`${char}\u0301`)).toBe(1);
  }
  expect(widthOf('▶\uFE0F')).toBe(2);
  expect(widthOf('集群')).toBe(4);
  expect(widthOf('◽')).toBe(2);
});

test('what a gate has seen is not cut while its limit or its history has room', () => {
  const gate = (title: string, observed: string, limit: string) => ({
    id: title,
    title,
    observed,
    limit,
    verdict: 'pass' as const,
    history: [{ at: '2026-01-01T00:00:00.000Z', verdict: 'pass' as const, value: 1 }],
  });
  const gates = [
    gate('active connections to PostgreSQL, all poolers', '0 active', 'at most 40'),
    gate('longest query of the switched services', '0 ms, limit 2000 ms', 'at most 10 times the longest before'),
    gate('connections in PostgreSQL against the pools', '20, computed 20', 'within 2'),
  ];
  for (const width of [100, 120, 160, 200]) {
    const rows = gateLines(gates, width, UNICODE);
    for (const [index, row] of rows.entries()) {
      expect(lineWidth(row), `${width}`).toBeLessThanOrEqual(width);
      expect(textOf(row), `${width}`).toContain(gates[index]!.observed);
      if (width >= 160) expect(textOf(row), `${width}`).toContain(gates[index]!.limit);
    }
  }
});
