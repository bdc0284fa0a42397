/** The first question of a resume, on a journal that takes nothing any more. */
import { expect, test } from 'vitest';
import type { Kube } from '../kube/types.ts';
import { ok, wizardError } from '../result.ts';
import { Interrupted } from './controls.ts';
import { JournalStopped } from './core.ts';
import { type ResumePorts, resumeRun } from './resume.ts';

/** A resume whose question can't be put, because of `why`. */
function resumeThat(why: unknown): ResumePorts {
  const core = {
    state: { status: 'parked', facts: {}, steps: [], services: [], calls: [], openCalls: [] },
    live: { set: () => {} },
    timestamp: () => '2026-11-23T00:00:00.000Z',
  };
  const runner = {
    core,
    controls: { signal: new AbortController().signal, leaving: 'left by alice' },
    asks: {
      nextId: () => 'ask-1',
      put: async () => {
        throw why;
      },
    },
    steps: [],
    context: () => ({ waitingFor: () => {} }),
  };
  const rest = { options: {}, fleet: {}, fights: {}, kube: {} as Kube, ledger: { resume: async () => ok(undefined) } };
  return { runner, ...rest } as unknown as ResumePorts;
}

test('a full disk is the reason that is given, and not that somebody left', async () => {
  const error = wizardError('journal-write', 'the journal cannot be written: ENOSPC');
  expect(await resumeRun(resumeThat(new JournalStopped(error)))).toEqual({
    outcome: 'parked',
    cause: error.message,
    error,
  });
});

test('somebody who leaves at the question has left', async () => {
  const left = new Interrupted('leave', 'left');
  expect(await resumeRun(resumeThat(left))).toEqual({ outcome: 'parked', cause: 'left by alice' });
});
