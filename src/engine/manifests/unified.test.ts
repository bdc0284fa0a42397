import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { unifiedDiff } from './unified.ts';

test('equal texts have no diff', () => {
  expect(unifiedDiff('a', 'x\ny\n', 'x\ny\n')).toEqual([]);
});

test('lines that go and come, with three lines around them and their numbers', () => {
  const lines = Array.from({ length: 20 }, (_, at) => `line ${at + 1}`);
  const after = lines.with(9, 'ten').concat('more');
  expect(unifiedDiff('a.yaml', `${lines.join('\n')}\n`, `${after.join('\n')}\n`)).toEqual([
    '--- a/a.yaml',
    '+++ b/a.yaml',
    '@@ -7,7 +7,7 @@',
    ' line 7',
    ' line 8',
    ' line 9',
    '-line 10',
    '+ten',
    ' line 11',
    ' line 12',
    ' line 13',
    '@@ -18,3 +18,4 @@',
    ' line 18',
    ' line 19',
    ' line 20',
    '+more',
  ]);
});

const words = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 });

test('git makes the one text of the other with it, at random', () => {
  const dir = mkdtempSync(join(tmpdir(), 'pgbw-diff-'));
  try {
    fc.assert(
      fc.property(words, words, fc.boolean(), (one, other, open) => {
        const text = (lines: readonly string[]) =>
          lines.length === 0 ? 'z\n' : `${lines.join('\n')}${open ? '' : '\n'}z`;
        const diff = unifiedDiff('f', text(one), text(other));
        if (text(one) === text(other)) {
          expect(diff).toEqual([]);
          return;
        }
        writeFileSync(join(dir, 'f'), text(one));
        execFileSync('git', ['apply', '-'], {
          cwd: dir,
          input: `${diff.join('\n')}\n`,
          stdio: ['pipe', 'pipe', 'pipe'],
        });
        expect(readFileSync(join(dir, 'f'), 'utf8')).toBe(text(other));
      }),
      { numRuns: 40 },
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000);
