import { describe, expect, test } from 'vitest';
import { wizardError } from '../engine/result.ts';
import { Secret } from '../engine/secret.ts';
import { errorEnvelope, errorJson, fromBug, renderError } from './render-error.ts';

const error = wizardError('context-unknown', 'the kubeconfig has no context "prod-eu-2"', {
  cause: 'It knows: prod-eu-1, dev.',
  next: ['Name one with --context NAME', 'kubectl config get-contexts'],
});

test('an error for people says what, why and what next', () => {
  expect(renderError(error)).toMatchInlineSnapshot(`
    "error: the kubeconfig has no context "prod-eu-2"
      why   It knows: prod-eu-1, dev.
      next  Name one with --context NAME
            kubectl config get-contexts
    "
  `);
});

test('colour is for terminals only', () => {
  expect(renderError(error)).not.toContain('\u001b');
  expect(renderError(error, true)).toContain('\u001b[31;1merror:\u001b[0m');
});

test('escape sequences and secrets of the cluster never reach the terminal', () => {
  const password = new Secret('correct-horse-battery');
  const hostile = wizardError('query-failed', `\u001b]0;owned\u0007failed for ${password.reveal()}`, {
    cause: 'postgresql://nova:hunter2hunter2@postgres/nova\u202e',
    next: ['PGPASSWORD=swordfish psql\nrm -rf'],
  });
  const text = renderError(hostile);
  for (const bad of ['\u001b', '\u0007', '\u202e', 'correct-horse', 'hunter2', 'swordfish'])
    expect(text).not.toContain(bad);
  expect(JSON.stringify(errorJson(hostile))).not.toMatch(/correct-horse|hunter2|swordfish/);
});

test('the envelope of an error carries code, exit code and next steps', () => {
  expect(errorEnvelope('run', error)).toMatchObject({
    schema: 'pgb-wizard/v1',
    command: 'run',
    outcome: 'refused',
    exitCode: 2,
    error: { code: 'context-unknown', retryable: false, next: error.next },
  });
});

describe('a bug', () => {
  test('says its first line, where the journal is and how to resume, and no stack', () => {
    const bug = new TypeError("Cannot read properties of undefined (reading 'x')\n    at secret.ts:1");
    const text = renderError(fromBug(bug, { runId: '7f3a', journal: '/state/runs/7f3a/events.jsonl' }));
    expect(text).toContain("Cannot read properties of undefined (reading 'x')");
    expect(text).toContain('pgb-wizard run --run 7f3a');
    expect(text).toContain('/state/runs/7f3a/events.jsonl');
    expect(text).not.toContain('secret.ts');
    expect(fromBug(bug)).toMatchObject({ code: 'internal', exitCode: 1 });
  });

  test('that is no Error is told all the same', () => {
    expect(fromBug('odd').message).toContain('odd');
  });
});
