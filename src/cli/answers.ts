/** A word of the command line → the answer to the question that is open. Pure. */
import { fail, ok, type Result } from '../engine/result.ts';
import type { Answer, Ask } from '../engine/run/model.ts';
import type { ANSWERS } from './commands/approve.ts';

export type AnswerWord = (typeof ANSWERS)[number];

export interface AnswerFlags {
  readonly answer?: AnswerWord;
  readonly reason?: string;
  readonly extend?: number;
  readonly confirm?: string;
}

const WORDS: Readonly<Record<Ask['kind'], readonly AnswerWord[]>> = {
  confirm: ['approve', 'skip', 'leave'],
  decide: ['continue', 'rollback', 'extend', 'hold'],
  failure: ['retry', 'rollback-service', 'rollback-phase', 'rollback-all', 'waive', 'leave'],
  rollback: ['approve', 'cancel'],
  reconcile: ['continue', 'rollback-all', 'leave'],
};

/** Refuses words that don't fit the question, a missing reason and a missing or wrong typed name. */
export function answerTo(ask: Ask, flags: AnswerFlags, now: string): Result<Answer> {
  const fits: readonly AnswerWord[] = ask.kind === 'failure' ? ask.options : WORDS[ask.kind];
  const first = fits[0]!;
  if (flags.answer === undefined && ask.kind === 'failure') {
    return refuse(`a failed step has no default answer; give --answer ${fits.join(', ')}`);
  }
  const word = flags.answer ?? first;
  if (!fits.includes(word)) return refuse(`the open question (${ask.kind}) takes ${fits.join(', ')}, not ${word}`);
  const typed = 'typed' in ask ? ask.typed : undefined;
  const says = word === 'approve' || word === 'continue' || word === 'rollback-all';
  if (typed !== undefined && says && flags.confirm !== typed) {
    return refuse(`this change is confirmed by typing its place; give --confirm ${typed}`);
  }
  const { reason } = flags;
  switch (ask.kind) {
    case 'confirm':
      return ok({ kind: 'confirm', action: word as 'approve' | 'skip' | 'leave', reason });
    case 'rollback':
      return ok({ kind: 'rollback', action: word as 'approve' | 'cancel' });
    case 'reconcile':
      return ok({ kind: 'reconcile', action: word as 'continue' | 'rollback-all' | 'leave' });
    case 'failure':
      if (word === 'waive' && !reason) return refuse('a waived check needs a --reason');
      return ok({ kind: 'failure', action: word as 'retry', reason });
    case 'decide': {
      if (word === 'extend' && flags.extend === undefined) return refuse('give --extend DURATION with --answer extend');
      const early = word === 'continue' && (now < ask.soakUntil || ask.recommendation !== 'continue');
      if (early && !reason) return refuse('to continue against the recommendation is an override and needs a --reason');
      return ok({ kind: 'decide', action: word as 'continue', reason, extendMs: flags.extend });
    }
  }
}

const refuse = (why: string) => fail('usage', `${why.charAt(0).toUpperCase()}${why.slice(1)}.`);
