import { Terminal } from '@xterm/headless';
import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { SITUATIONS, type Situation } from '../screens/testing/situations.ts';
import { still } from '../screens/testing/still.ts';
import { type Drawing, isPainted, quickly, rowsOf, SIMPLE_ROW } from './ink-rows.ts';
import { paintLine } from './paint.ts';
import { THEME_NAMES, themeOf } from './theme.ts';

// Not exported by Ink; the build puts the short way in front of this very class.
const { default: Output } = (await import(new URL('../../node_modules/ink/build/output.js', import.meta.url).href)) as {
  default: new (size: {
    width: number;
    height: number;
  }) => Drawing & {
    write(x: number, y: number, text: string, options: { transformers: ((text: string) => string)[] }): void;
    clip(area: object): void;
    get(): { output: string; height: number };
  };
};

const [columns, rows] = [100, 30];

function drawn(texts: readonly string[], height = texts.length) {
  const output = new Output({ width: columns, height });
  for (const [row, text] of texts.entries()) output.write(0, row, text, { transformers: [(same) => same] });
  return output;
}

/** Every cell with its colours and weight, as a terminal shows it. */
async function cells(text: string): Promise<string[]> {
  const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(text.replaceAll('\n', '\r\n'), resolve));
  const seen: string[] = [];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      const cell = terminal.buffer.active.getLine(y)?.getCell(x);
      const look = [cell?.getFgColor(), cell?.isBold(), cell?.isDim(), cell?.isInverse()];
      seen.push(
        `${y}:${x} ${cell?.getChars() || ' '} ${(cell?.getChars() ?? '').trim() === '' && !cell?.isInverse() ? '' : look.join()}`,
      );
    }
  }
  terminal.dispose();
  return seen;
}

describe('rowsOf', () => {
  test.each(THEME_NAMES)('shows what Ink would have composed, in the theme %s', async (name) => {
    for (const situation of Object.keys(SITUATIONS) as Situation[]) {
      const lines = still({ snapshot: SITUATIONS[situation](), columns, rows });
      const painted = lines.map((line) => paintLine(line, themeOf(name)).trimEnd() || ' ');
      const output = drawn(painted);
      const short = rowsOf(output);
      expect(rowsOf(drawn([painted.join('\n')], rows))).toEqual(short);
      const composed = output.get();
      expect(short?.height).toBe(composed.height);
      expect(await cells(short?.output ?? ''), situation).toEqual(await cells(composed.output));
    }
  });

  test('keeps wide characters where Ink puts them', async () => {
    const output = drawn(['数据库 → pooler', 'plain']);
    expect(await cells(rowsOf(output)?.output ?? '')).toEqual(await cells(output.get().output));
  });

  test.each([
    [
      'two texts in one row',
      () => {
        const output = drawn(['one']);
        output.write(0, 0, 'two', { transformers: [] });
        return output;
      },
    ],
    [
      'a text that is not at the left edge',
      () => {
        const output = drawn([]);
        output.write(3, 0, 'one', { transformers: [] });
        return output;
      },
    ],
    [
      'a clipped area',
      () => {
        const output = drawn(['one']);
        output.clip({ x1: 0, x2: 2, y1: 0, y2: 1 });
        return output;
      },
    ],
    ['a row that is missing', () => drawn(['one\ntwo'], 3)],
    ['a tab', () => drawn(['one\ttwo'])],
    ['an invisible character', () => drawn(['o\u200bne'])],
    [
      'a row below the frame',
      () =>
        drawn(
          Array.from({ length: rows + 1 }, () => 'x'),
          rows,
        ),
    ],
  ])('leaves %s to Ink', (_, make) => {
    expect(rowsOf(make())).toBeUndefined();
  });
});

describe('quickly', () => {
  test('measures every simple character, and painted rows, as string-width does', () => {
    const quick = quickly(stringWidth);
    for (let code = 0x20; code < 0x3000; code++) {
      const text = String.fromCharCode(code);
      expect(quick(text), code.toString(16)).toBe(stringWidth(text));
    }
    for (const situation of Object.keys(SITUATIONS) as Situation[]) {
      for (const line of still({ snapshot: SITUATIONS[situation](), columns, rows })) {
        const row = paintLine(line, themeOf('colour-blind'));
        expect(isPainted(row), row).toBe(true);
        expect(quick(row)).toBe(columns);
      }
    }
  });

  test.each(['数据库', 'e\u0301', '\u26a0\ufe0f', 'a\u200bb', '\u001b[2Jx', '\u001b]8;;http://x\u0007y', 'a\tb'])(
    'leaves %j to the measure',
    (text) => {
      expect(isPainted(text)).toBe(false);
      expect(quickly(() => 77)(text)).toBe(77);
    },
  );

  test('no simple character joins with another: each is one of a row, and one code unit', () => {
    const simple = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter((one) =>
      SIMPLE_ROW.test(one),
    );
    expect(simple.length).toBeGreaterThan(1000);
    const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...simple), { maxLength: 60 }), (cells) => {
        const row = cells.join('');
        expect([...segmenter.segment(row)].map(({ segment }) => segment)).toEqual(cells);
        expect(SIMPLE_ROW.test(row)).toBe(true);
        expect(SIMPLE_ROW.test(`${row}\u0301`)).toBe(false);
      }),
    );
  });

  test('leaves a frame of several rows to the measure', () => {
    expect(isPainted('a\nb')).toBe(true);
    expect(quickly(() => 77)('a\nb')).toBe(77);
  });

  test('a long text that is not painted is refused at once', () => {
    const began = performance.now();
    expect(isPainted(`${'\u001b[31mab'.repeat(20_000)}\u0000`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});
