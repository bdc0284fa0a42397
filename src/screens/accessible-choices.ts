/** The numbered ways on of the linear output: the same intents as the keys of the screen. */

import { isHeld } from '../components/states.ts';
import type { Answer, Intent, RunSnapshot } from '../engine/run/model.ts';
import { overrideOf, scopeWords } from './intents.ts';
import { isBack, rollbackScopes, servicesAhead } from './screen.ts';

/** One way on, as a numbered line. */
export interface Choice {
  readonly label: string;
  readonly intent: (reason: string | undefined) => Intent;
  readonly reason?: 'required';
  readonly typed?: string;
  /** Sent without a second question: it changes nothing. */
  readonly safe?: boolean;
  /** Of a decision: why it was an override when it was offered ('' when it was none). */
  readonly premise?: string;
}

/** The ways on; a bare Enter never means one of them. */
export function choicesOf(snapshot: RunSnapshot, now: number): Choice[] {
  const { ask } = snapshot;
  const send =
    (answer: Answer) =>
    (reason: string | undefined): Intent => ({
      kind: 'answer',
      askId: ask?.id ?? '',
      answer:
        reason === undefined || answer.kind === 'rollback' || answer.kind === 'reconcile'
          ? answer
          : { ...answer, reason },
    });
  const own: Choice[] = [];
  // What is approved while the run holds is not done, and would be asked for again.
  if (ask?.kind === 'confirm' && !isHeld(snapshot)) {
    own.push({
      label: 'Approve',
      intent: send({ kind: 'confirm', action: 'approve' }),
      ...(ask.typed === undefined ? {} : { typed: ask.typed }),
    });
    const ahead = servicesAhead(snapshot, ask.stepId);
    if (ahead.length > 1 && ask.typed === undefined)
      own.push({
        label: `Approve the phase: ${ahead.join(', ')}`,
        intent: send({ kind: 'confirm', action: 'approve', scope: 'phase' }),
      });
  }
  if (ask?.kind === 'confirm') {
    own.push({ label: 'Skip this step', intent: send({ kind: 'confirm', action: 'skip' }), reason: 'required' });
  }
  if (ask?.kind === 'rollback') {
    own.push({
      label: 'Cancel the rollback, change nothing',
      intent: send({ kind: 'rollback', action: 'cancel' }),
      safe: true,
    });
    own.push({
      label: 'Approve the rollback',
      intent: send({ kind: 'rollback', action: 'approve' }),
      typed: ask.typed,
    });
  }
  if (ask?.kind === 'reconcile' && !ask.rows.some((row) => row.verdict === 'stop')) {
    own.push({
      label: 'Go on as shown',
      intent: send({ kind: 'reconcile', action: 'continue' }),
      ...(ask.typed === undefined ? {} : { typed: ask.typed }),
    });
  }
  if (ask?.kind === 'reconcile')
    own.push({
      label: 'Roll everything back',
      intent: send({ kind: 'reconcile', action: 'rollback-all' }),
      ...(ask.typed === undefined ? {} : { typed: ask.typed }),
    });
  if (ask?.kind === 'decide') {
    const override = overrideOf(ask, now);
    own.push({
      label: override === undefined ? 'Continue' : `Continue although ${override}`,
      intent: send({ kind: 'decide', action: 'continue' }),
      premise: override ?? '',
      ...(override === undefined ? {} : { reason: 'required' as const }),
    });
    own.push({ label: 'Extend the soak', intent: send({ kind: 'decide', action: 'extend', extendMs: ask.soakMs }) });
    own.push({
      label: `Roll phase ${ask.phase.replace(/^p/, '')} back`,
      intent: send({ kind: 'decide', action: 'rollback' }),
    });
  }
  if (ask?.kind === 'failure') {
    const back = isBack(snapshot);
    const labels = {
      retry: back ? 'Switch it again' : 'Try again',
      'rollback-service': 'Roll this service back',
      'rollback-phase': 'Roll the phase back',
      'rollback-all': 'Roll everything back',
      waive: back ? 'Go on without it' : 'Waive it',
      leave: '',
    };
    for (const action of ask.options) {
      if (action === 'leave') continue;
      own.push({
        label: labels[action],
        intent: send({ kind: 'failure', action }),
        ...(action === 'waive' ? { reason: 'required' as const } : {}),
      });
    }
  }
  if (isHeld(snapshot)) own.push({ label: 'Lift the hold', intent: () => ({ kind: 'unhold' }) });
  else if (ask === undefined ? snapshot.status === 'running' : ask.kind !== 'rollback')
    own.push({ label: 'Hold', intent: (reason) => ({ kind: 'hold', reason: reason ?? '' }), reason: 'required' });
  if (ask === undefined && snapshot.status === 'running') {
    for (const scope of rollbackScopes(snapshot))
      own.push({ label: `Roll back ${scopeWords(scope)}`, intent: () => ({ kind: 'rollback', scope }) });
  }
  return [
    ...own,
    { label: 'Export the record', intent: () => ({ kind: 'export' }), safe: true },
    { label: 'Leave; the run is parked and can be resumed', intent: () => ({ kind: 'leave' }) },
  ];
}
