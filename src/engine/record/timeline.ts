/** The run as a list of sentences with times: the work notes, and the story in the report. */
import type { JournalLine, RunEvent } from '../run/events.ts';
import { scopeText } from './deviations.ts';
import type { TimelineEntry } from './types.ts';

/** Samples, evidence and questions are left out: they stand with their steps. */
export function timelineOf(lines: readonly JournalLine[]): readonly TimelineEntry[] {
  return lines.flatMap(({ at, event }) => {
    const text = sentence(event);
    return text === undefined ? [] : [{ at, text }];
  });
}

function sentence(event: RunEvent): string | undefined {
  const because = (text: string | undefined) => (text ? `: ${text}` : '');
  switch (event.type) {
    case 'run.started':
      return `${event.operator} started run ${event.runId} on ${event.cluster.context}/${event.cluster.namespace}, plan ${event.planName}`;
    case 'run.resumed':
      return `${event.operator} resumed the run on ${event.host}`;
    case 'run.held':
      return `${event.who} put the run on hold${because(event.reason)}`;
    case 'run.unheld':
      return `${event.who} lifted the hold`;
    case 'run.parked':
      return `the run was parked${because(event.reason)}`;
    case 'run.ended':
      return `the run ended: ${event.outcome}${event.cause ? `, ${event.cause}` : ''}`;
    case 'step.started':
      return `${event.id} started${event.attempt > 1 ? ` (attempt ${event.attempt})` : ''}`;
    case 'step.finished':
      return `${event.id} ${event.state}${because(event.cause ?? event.note)}`;
    case 'service.state':
      return `${event.service} is ${event.state}`;
    case 'call.intent':
      return `${event.verb} ${event.target.kind} ${event.target.name}, ${event.direction} (call ${event.callId})`;
    case 'call.outcome':
      return `call ${event.callId} ${event.result}${because(event.error)}`;
    case 'answered':
      return `${event.who} answered ${event.answer.kind} with ${event.answer.action}${because('reason' in event.answer ? event.answer.reason : undefined)}`;
    case 'decided':
      return `${event.who} decided after ${event.phase}: ${event.action}${event.override ? ' (override)' : ''}${because(event.reason)}`;
    case 'rollback.started':
      return `${event.who} started the rollback of ${scopeText(event.scope)}`;
    case 'rollback.finished':
      return `the rollback of ${scopeText(event.scope)} ${event.ok ? 'is complete' : 'failed'}`;
    case 'message':
      return event.level === 'info' ? undefined : `${event.level}: ${event.text}`;
    default:
      return undefined;
  }
}
