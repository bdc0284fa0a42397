/** When somebody who is not looking must be told: by the bell, and by a notification where one is configured. */
import type { RunSnapshot } from '../engine/run/model.ts';

/** What a notification says; nothing in it comes from a Secret. */
export interface DueEvent {
  /** The ask, or `ended`; what was told once is not told again. */
  readonly id: string;
  readonly title: string;
  readonly runId: string;
  readonly namespace: string;
}

/** Tells somebody; answers what went wrong as a sentence, nothing when it went well. Never rejects. */
export type Notify = (event: DueEvent) => Promise<string | undefined>;

/** Whoever pressed a key so recently sees the next question come. Real ms. */
const LOOKING_MS = 5000;

/**
 * What needs a human now: an open ask, a run that ended with an error. A decision whose soak still runs does not yet,
 * unless its gates say so.
 */
export function dueOf(snapshot: RunSnapshot | undefined, now: number): DueEvent | undefined {
  if (snapshot === undefined) return undefined;
  const { runId, namespace, ask } = snapshot;
  if (snapshot.status === 'ended' && (snapshot.outcome === 'failed' || snapshot.outcome === 'gate-failed'))
    return { id: 'ended', title: 'the run has ended with an error', runId, namespace };
  if (ask === undefined) return undefined;
  if (ask.kind === 'decide' && ask.recommendation !== 'rollback' && ask.recommendation !== 'human') {
    if (Date.parse(ask.soakUntil) > now) return undefined;
  }
  return { id: ask.id, title: ask.kind === 'reconcile' ? 'resume the run?' : ask.title, runId, namespace };
}

/** Remembers what was told, so that an ask rings once whatever its gates do. */
export class Told {
  readonly #ids = new Set<string>();

  /** Is this news to somebody whose last key was `sinceKeyMs` ago (real time)? It is only once. */
  isNews(event: DueEvent, kind: NonNullable<RunSnapshot['ask']>['kind'] | undefined, sinceKeyMs: number): boolean {
    if (this.#ids.has(event.id)) return false;
    this.#ids.add(event.id);
    // The next change to confirm, and a rollback that was just chosen, come to whoever asked for them.
    return !((kind === 'confirm' || kind === 'rollback') && sinceKeyMs < LOOKING_MS);
  }
}
