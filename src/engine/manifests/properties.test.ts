/**
 * Manifests as people write them, at random: what is edited says exactly what the live patch makes of the object, nothing but
 * the lines of the edited entries differs, and the way back gives the bytes back.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../kube/fingerprint.ts';
import { parseFile } from './documents.ts';
import { changeOf, livesIn, patched, sourcesOf } from './testing/changes.ts';
import { planOf } from './testing/plans.ts';
import { manifest, ofFleet, shared, sharedManifest } from './testing/random-manifests.ts';
import type { Direction, WantedChange } from './types.ts';

const sources = sourcesOf(
  { 'db-secret': { URL: 'postgres://u:pw-of-secret@postgres:5432/nova', DSN: 'host=postgres dbname=nova' } },
  { 'db-map': { LEVEL: 'debug', FROM_MAP: 'postgresql://u@postgres/nova' } },
);

const RUNS = 40;

/** Words in a line that an edit may take away or change. */
const TOUCHED = /postgres|5432|db-secret|db-map/;

const plans = (text: string, changes: readonly WantedChange[], direction: Direction) =>
  planOf('deploy.yaml', text, changes, direction);

/** Lines that one text has and the other has not, by count. */
function lost(before: string, after: string): string[] {
  const counts = new Map<string, number>();
  for (const line of after.split(/\r?\n/)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return before.split(/\r?\n/).filter((line) => {
    const left = counts.get(line) ?? 0;
    counts.set(line, left - 1);
    return left <= 0;
  });
}

const commentsOf = (text: string): string[] => [...text.matchAll(/ ?# .*$/gm)].map(([one]) => one.trim()).sort();

/** Changes of all services that reach the target in that text. */
const changesIn = (text: string): WantedChange[] =>
  livesIn(text).flatMap((live) => {
    try {
      return [changeOf(live, sources)];
    } catch {
      // It does not reach the target, or in a way that nothing can switch.
      return [];
    }
  });

describe('a manifest as people write it', () => {
  test('with addresses shared through anchors is edited right, or not at all', async () => {
    const seen = { change: 0, 'by-hand': 0 };
    await fc.assert(
      fc.asyncProperty(shared, async (style) => {
        const text = sharedManifest(style);
        expect(parseFile(text), text).toBeDefined();
        const changes = changesIn(text);
        const plan = await plans(text, changes, 'forward');
        const state = plan.workloads[0]?.state;
        if (state !== 'change' && state !== 'by-hand') throw new Error(`${state}: ${text}`);
        seen[state] += 1;
        if (state === 'by-hand') expect(plan.files).toEqual([]);
        else expect(canonicalJson(parseFile(plan.files[0]!.after)!.values)).toBe(canonicalJson(patched(text, changes)));
        for (const line of lost(text, plan.files[0]?.after ?? text)) expect(line).toMatch(/postgres|\*/);
      }),
      { numRuns: RUNS },
    );
    // About a third is changed. That 40 give two or fewer by chance happens once in a million times.
    expect(seen.change).toBeGreaterThan(2);
    expect(seen['by-hand']).toBeGreaterThan(2);
  }, 60_000);

  test('and then damaged is never a reason to throw, and what is edited still says what was wanted', async () => {
    const damage = fc.array(
      fc.record({
        at: fc.nat(),
        kind: fc.constantFrom('drop', 'twice', 'cut', 'insert'),
        word: fc.constantFrom('{{ x }}', '\t', '*a', '&b ', '- ', ': ', '"', '|', '\u0007', '<<: *c', '---'),
      }),
      { minLength: 1, maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(ofFleet, damage, async ([style, services], hurts) => {
        const text = manifest(style, services);
        const changes = changesIn(text);
        let lines = text.split('\n');
        for (const { at, kind, word } of hurts) {
          const line = at % lines.length;
          const old = lines[line] ?? '';
          const place = at % (old.length + 1);
          if (kind === 'drop') lines = lines.toSpliced(line, 1);
          if (kind === 'twice') lines = lines.toSpliced(line, 0, old);
          if (kind === 'cut') lines = lines.with(line, old.slice(0, place));
          if (kind === 'insert') lines = lines.with(line, old.slice(0, place) + word + old.slice(place));
        }
        for (const direction of ['forward', 'back'] as const) {
          const plan = await plans(lines.join('\n'), changes, direction);
          for (const file of plan.files) expect(parseFile(file.after)).toBeDefined();
        }
      }),
      { numRuns: RUNS },
    );
  }, 60_000);

  test('says after the edit what the live patch makes of the object; only lines of edited entries differ', async () => {
    let edited = 0;
    await fc.assert(
      fc.asyncProperty(ofFleet, async ([style, services]) => {
        const text = manifest(style, services);
        expect(parseFile(text), text).toBeDefined();
        const changes = changesIn(text);
        const plan = await plans(text, changes, 'forward');
        expect(plan.workloads.filter((one) => one.state !== 'change')).toEqual([]);
        const [file] = plan.files;
        if (changes.length === 0) {
          expect(file).toBeUndefined();
          return;
        }
        edited += 1;
        const now = parseFile(file!.after)!.values.filter((one) => one.kind !== 'ConfigMap');
        expect(canonicalJson(now)).toBe(canonicalJson(patched(text, changes)));
        for (const line of lost(text, file!.after)) {
          if (line.replace(/\r$/, '') !== '') expect(line).toMatch(TOUCHED);
        }
        expect(commentsOf(file!.after)).toEqual(commentsOf(text));
        expect(file!.after.startsWith('\uFEFF')).toBe(style.bom);
        const alone = file!.after.match(/(?<!\r)\n/g)?.length ?? 0;
        expect(alone === 0 || !style.crlf).toBe(true);
        expect(file!.diff.join('\n')).not.toContain('pw-of-secret');
      }),
      { numRuns: RUNS },
    );
    expect(edited).toBeGreaterThan(RUNS * 0.6);
  }, 60_000);

  test('has its bytes again on the way back', async () => {
    await fc.assert(
      fc.asyncProperty(ofFleet, async ([style, services]) => {
        const text = manifest({ ...style, finalNewline: true }, services);
        const changes = changesIn(text);
        const there = await plans(text, changes, 'forward');
        if (there.files.length === 0) return;
        const back = await plans(there.files[0]!.after, changes, 'back');
        expect(back.workloads.filter((one) => one.state !== 'change')).toEqual([]);
        expect(back.files[0]!.after).toBe(text);
      }),
      { numRuns: RUNS / 2 },
    );
  }, 60_000);

  test('is as wanted already when it is looked at again', async () => {
    await fc.assert(
      fc.asyncProperty(ofFleet, async ([style, services]) => {
        const text = manifest(style, services);
        const changes = changesIn(text);
        const there = await plans(text, changes, 'forward');
        const again = await plans(there.files[0]?.after ?? text, changes, 'forward');
        expect(again.files).toEqual([]);
        expect(again.workloads.map((one) => one.state)).toEqual(changes.map(() => 'done'));
      }),
      { numRuns: RUNS / 4 },
    );
  }, 60_000);
});
