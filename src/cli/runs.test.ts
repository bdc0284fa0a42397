import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startedEvent } from '../../test/corruption/sample-run.ts';
import { openJournal } from '../engine/run/journal.ts';
import { journalPath, runDir } from '../engine/run/paths.ts';
import { findRun } from './runs.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'pgbw-runs-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A run whose own time says `runTime`, written to at `realTime`. */
async function run(runId: string, runTime: string, realTime: string): Promise<void> {
  const dir = runDir(home, runId);
  const journal = await openJournal({ dir, runId, clock: { now: () => Date.parse(runTime) }, create: true });
  if (!journal.ok) throw new Error(journal.error.message);
  journal.value.append(startedEvent(runId));
  journal.value.close();
  utimesSync(journalPath(dir), new Date(realTime), new Date(realTime));
}

test('the newest run is the one that was written to last, not the one whose rehearsal has let the most time pass', async () => {
  await run('11111111', '2026-03-21T20:00:00Z', '2026-03-14T20:10:00Z');
  await run('22222222', '2026-03-14T21:00:00Z', '2026-03-14T21:00:00Z');
  expect(findRun(home, undefined)).toMatchObject({ ok: true, value: { runId: '22222222' } });
  utimesSync(journalPath(runDir(home, '11111111')), new Date('2026-03-14T22:00:00Z'), new Date('2026-03-14T22:00:00Z'));
  expect(findRun(home, undefined)).toMatchObject({ ok: true, value: { runId: '11111111' } });
});
