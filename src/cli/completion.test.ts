import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { commands } from './commands/index.ts';
import { completionScript } from './completion.ts';

/** What bash offers for the last of these words. */
function bashOffers(...words: string[]): string[] {
  const script = `${completionScript('bash', commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_pgb_wizard
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n').filter(Boolean);
}

describe('completion in bash', () => {
  test('offers commands', () => {
    expect(bashOffers('pgb-wizard', 'reh')).toEqual(['rehearse']);
    expect(bashOffers('pgb-wizard', '')).toContain('rollback');
  });

  test('offers the flags of the command, wherever it stands', () => {
    expect(bashOffers('pgb-wizard', 'rehearse', '--fa')).toEqual(['--fault']);
    expect(bashOffers('pgb-wizard', '--context', 'prod', 'hold', '--rel')).toEqual(['--release']);
  });

  test('offers the values of a flag with few', () => {
    expect(bashOffers('pgb-wizard', 'run', '--on-failure', 'rollback-p')).toEqual(['rollback-phase']);
    expect(bashOffers('pgb-wizard', 'config', 'v')).toEqual(['validate']);
  });

  test('keeps hidden flags hidden', () => {
    expect(bashOffers('pgb-wizard', 'rehearse', '--he')).toEqual(['--help']);
  });
});

test.each(['zsh', 'fish'] as const)(
  'the script for %s names every command and is accepted by the shell, where there is one',
  (shell) => {
    const script = completionScript(shell, commands);
    for (const command of commands) expect(script).toContain(command.name);
    const checked = spawnSync(shell, ['-n'], { input: script });
    if (!checked.error) expect(checked.status).toBe(0);
  },
);
