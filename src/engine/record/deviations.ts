/** Everything that did not go as planned: failures, waivers, retries, holds, resumes, overrides, unknown outcomes. */
import type { JournalLine } from '../run/events.ts';
import type { RunState } from '../run/fold.ts';
import type { RollbackScope } from '../run/model.ts';
import type { Deviation } from './types.ts';

export function scopeText(scope: RollbackScope): string {
  return scope.kind === 'service' ? scope.service : scope.kind === 'phase' ? `phase ${scope.phase}` : 'all services';
}

const OF_STATE = { fail: 'failure', inconclusive: 'inconclusive', waived: 'waived', skipped: 'skipped' } as const;

export function deviationsOf(state: RunState, lines: readonly JournalLine[]): readonly Deviation[] {
  const found: Deviation[] = [];
  for (const { event, at } of lines) {
    switch (event.type) {
      case 'step.started':
        if (event.attempt > 1) found.push({ at, kind: 'retry', step: event.id, text: `attempt ${event.attempt}` });
        break;
      case 'step.previewed':
        for (const text of event.preview.departures ?? []) found.push({ at, kind: 'departure', step: event.id, text });
        break;
      case 'step.finished':
        if (event.state in OF_STATE) {
          const kind = OF_STATE[event.state as keyof typeof OF_STATE];
          found.push({ at, kind, step: event.id, text: event.note ?? event.cause ?? event.state });
        }
        break;
      case 'run.held':
        found.push({ at, kind: 'hold', text: event.reason, who: event.who });
        break;
      case 'run.parked':
        found.push({ at, kind: 'parked', text: event.reason });
        break;
      case 'run.resumed':
        found.push({
          at,
          kind: 'resume',
          text: `resumed on ${event.host} with version ${event.toolVersion}`,
          who: event.operator,
        });
        break;
      case 'decided':
        if (event.override) {
          found.push({
            at,
            kind: 'override',
            step: event.stepId,
            text: `${event.action}: ${event.reason ?? 'no reason given'}`,
            who: event.who,
          });
        }
        break;
      case 'rollback.started':
        found.push({ at, kind: 'rollback', text: `rollback of ${scopeText(event.scope)}`, who: event.who });
        break;
      default:
        break;
    }
  }
  for (const call of state.calls) {
    if (!state.openCalls.includes(call.callId)) continue;
    const { kind, name } = call.intent.target;
    found.push({
      at: call.at,
      kind: 'unknown-outcome',
      step: call.intent.step,
      text: `${call.intent.verb} ${kind} ${name}: it is not known whether it happened`,
    });
  }
  return found;
}
