import { describe, expect, test } from 'vitest';
import type { RunSnapshot } from '../engine/run/model.ts';
import { dueOf, Told } from './due.ts';
import { SITUATIONS } from './testing/situations.ts';

const due = (snapshot: RunSnapshot) => dueOf(snapshot, Date.parse(snapshot.now));

describe('somebody is told', () => {
  test('of a failure, a decision that is due, a gate that fails, a run that ended with an error', () => {
    expect(due(SITUATIONS.failure())).toMatchObject({
      id: 'ask-9',
      title: 'auth-service does not start with the pooler',
    });
    expect(due(SITUATIONS.decideDue())?.id).toBe('ask-5');
    expect(due(SITUATIONS.decideFail())?.id).toBe('ask-6');
    expect(due(SITUATIONS.failed())?.title).toBe('the run has ended with an error');
  });

  test('not of a soak that still runs, a step that runs, or an end that was meant', () => {
    expect(due(SITUATIONS.decide())).toBeUndefined();
    expect(due(SITUATIONS.migrate())).toBeUndefined();
    expect(due(SITUATIONS.done())).toBeUndefined();
  });

  test('once, however often the gates of a decision change', () => {
    const told = new Told();
    const event = due(SITUATIONS.decideFail())!;
    expect(told.isNews(event, 'decide', 0)).toBe(true);
    expect(told.isNews(event, 'decide', 60_000)).toBe(false);
  });

  test('of the next change only when no key was pressed a moment ago', () => {
    const event = due(SITUATIONS.confirm())!;
    expect(new Told().isNews(event, 'confirm', 1000)).toBe(false);
    expect(new Told().isNews(event, 'confirm', 10_000)).toBe(true);
    // A failure is told even to somebody who types.
    expect(new Told().isNews(event, 'failure', 1000)).toBe(true);
  });
});
