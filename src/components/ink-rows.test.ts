import { Terminal } from '@xterm/headless';
import { describe, expect, test } from 'vitest';
import { SITUATIONS, type Situation } from '../screens/testing/fixtures.ts';
import { still } from '../screens/testing/still.ts';
import { type Drawing, remembering, rowsOf } from './ink-rows.ts';
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

function drawn(texts: readonly string[]) {
  const output = new Output({ width: columns, height: rows });
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
      const output = drawn(lines.map((line) => paintLine(line, themeOf(name)).trimEnd() || ' '));
      const short = rowsOf(output);
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
    ['a text of two lines', () => drawn(['one\ntwo'])],
    ['an invisible character', () => drawn(['o\u200bne'])],
    ['a row below the frame', () => drawn(Array.from({ length: rows + 1 }, () => 'x'))],
  ])('leaves %s to Ink', (_, make) => {
    expect(rowsOf(make())).toBeUndefined();
  });
});

test('a remembering measure asks once for a text, and forgets rather than grows without end', () => {
  let asked = 0;
  const measure = remembering((text) => {
    asked++;
    return text.length;
  });
  expect([measure('abc'), measure('abc'), measure('')]).toEqual([3, 3, 0]);
  expect(asked).toBe(2);
  for (let n = 0; n < 5000; n++) measure(`row ${n}`);
  expect(measure('abc')).toBe(3);
  expect(asked).toBe(5003);
});
