/**
 * One question at a time, answered by an intent of a human, or by the policy of a run without a terminal. Question and
 * answer are journaled; an open question is not kept over a restart, because its step asks again from live state.
 */
import { sanitiseLine } from '../sanitise.ts';
import type { Answer, Ask } from './model.ts';
import type { HeadlessPolicy } from './options.ts';

export interface AskPorts {
  /** Journals that the question was put, and shows it. */
  opened(ask: Ask): void;
  changed(ask: Ask | undefined): void;
  answered(ask: Ask, answer: Answer, who: string): void;
  readonly who: string;
  readonly policy?: HeadlessPolicy;
}

interface OpenAsk {
  ask: Ask;
  settle: (answer: Answer) => void;
}

export class AskBroker {
  readonly #ports: AskPorts;
  #open: OpenAsk | undefined;
  #count = 0;
  /** The phase whose switches were approved as a whole, in this session only. */
  #approved: string | undefined;

  constructor(ports: AskPorts) {
    this.#ports = ports;
  }

  get unattended(): boolean {
    return this.#ports.policy !== undefined;
  }

  nextId(): string {
    this.#count++;
    return `ask-${this.#count}`;
  }

  /**
   * Puts the question and waits for its answer. Rejects with the signal's reason when aborted. `byItself` keeps the
   * policy out of it: the caller answers through `answer` when its own condition holds (a decision after its soak).
   */
  async put(ask: Ask, signal: AbortSignal, byItself = false): Promise<Answer> {
    signal.throwIfAborted();
    this.#ports.opened(ask);
    // After a failure, a rollback, a decision the approval of a phase is not taken as given any more.
    if (ask.kind !== 'confirm') this.#approved = undefined;
    const before = ask.kind === 'confirm' ? this.#approvedBefore(ask) : undefined;
    if (before) {
      this.#ports.answered(ask, before, this.#ports.who);
      return before;
    }
    const policy = this.#ports.policy;
    if (policy && !byItself) {
      const answer = answerByPolicy(ask, policy);
      this.#ports.answered(ask, answer, `policy of ${this.#ports.who}`);
      return answer;
    }
    return new Promise<Answer>((resolve, reject) => {
      const onAbort = () => {
        this.#open = undefined;
        this.#ports.changed(undefined);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#open = {
        ask,
        settle: (answer) => {
          signal.removeEventListener('abort', onAbort);
          this.#open = undefined;
          this.#ports.changed(undefined);
          resolve(answer);
        },
      };
      this.#ports.changed(ask);
    });
  }

  /** The question's facts have moved on (gates, time left); the same question stays open. */
  update(ask: Ask): void {
    if (this.#open?.ask.id !== ask.id) return;
    this.#open.ask = ask;
    this.#ports.changed(ask);
  }

  /** Takes an answer. False when it fits no open question: a late key press must not answer the next one. */
  answer(askId: string, answer: Answer, who: string = this.#ports.who): boolean {
    const open = this.#open;
    if (!open || open.ask.id !== askId || open.ask.kind !== answer.kind) return false;
    const said = withPlainReason(answer);
    this.#ports.answered(open.ask, said, who);
    if (said.kind === 'confirm' && said.scope === 'phase' && open.ask.kind === 'confirm') {
      this.#approved = phaseOf(open.ask.stepId);
    }
    open.settle(said);
    return true;
  }

  /** Approved with the phase: a switch like the one that was looked at, without a typed name and without a warning. */
  #approvedBefore(ask: Extract<Ask, { kind: 'confirm' }>): Answer | undefined {
    const alike =
      this.#approved === phaseOf(ask.stepId) &&
      ask.stepId.endsWith('.migrate') &&
      ask.typed === undefined &&
      !ask.preview.destructive &&
      (ask.preview.warnings ?? []).length === 0;
    return alike ? { kind: 'confirm', action: 'approve', reason: 'approved with its phase' } : undefined;
  }
}

/** A reason goes into the journal, the record and other people's terminals, and may come from a line or a flag. */
function withPlainReason(answer: Answer): Answer {
  return 'reason' in answer && answer.reason !== undefined
    ? { ...answer, reason: sanitiseLine(answer.reason, REASON_LIMIT) }
    : answer;
}

/** As much as a prompt of the screen takes. */
const REASON_LIMIT = 500;

const phaseOf = (stepId: string): string => stepId.split('.')[0] ?? '';

/** What a run without a terminal says. Decisions are not here: the decision step answers them from its gates. */
export function answerByPolicy(ask: Ask, policy: HeadlessPolicy): Answer {
  switch (ask.kind) {
    case 'confirm':
      return policy.approve === 'all'
        ? { kind: 'confirm', action: 'approve' }
        : { kind: 'confirm', action: 'leave', reason: 'the policy approves no change' };
    case 'rollback':
      return { kind: 'rollback', action: 'approve' };
    case 'reconcile':
      // A service that somebody else has changed must not keep the others where they fail: it alone does not go back.
      return !ask.goingBack && ask.rows.some((row) => row.verdict === 'ask' || row.verdict === 'stop')
        ? { kind: 'reconcile', action: 'leave' }
        : { kind: 'reconcile', action: 'continue' };
    case 'failure': {
      // Taking a service back because our own login ran out would harm one that is well, and fail for the same reason.
      if (ask.blind)
        return { kind: 'failure', action: 'leave', reason: 'the cluster is out of reach, not the service' };
      if (ask.verdict === 'inconclusive') {
        return policy.onInconclusive === 'accept'
          ? { kind: 'failure', action: 'waive', reason: 'not measurable; accepted by the policy of this run' }
          : { kind: 'failure', action: 'leave', reason: 'not measurable; the policy of this run asks a human' };
      }
      const wanted = policy.onFailure === 'stop' ? 'leave' : policy.onFailure;
      const action = ask.options.includes(wanted) ? wanted : 'leave';
      return { kind: 'failure', action, reason: `policy: on failure ${policy.onFailure}` };
    }
    case 'decide':
      return { kind: 'decide', action: 'hold', reason: 'a decision is taken by its gates, not by the policy' };
  }
}
