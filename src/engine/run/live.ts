/**
 * What a run knows besides its journal: what it waits for, the pools, the open question. None of it survives the process
 * on purpose; after a resume it is observed again. `LiveView` also is the store that the hooks subscribe to.
 */

import type { WizardError } from '../result.ts';
import type {
  Ask,
  GateView,
  Outcome,
  PoolsView,
  RolloutProgress,
  RunSnapshot,
  ServiceView,
  Timestamp,
} from './model.ts';

export interface LiveState {
  readonly status: RunSnapshot['status'];
  readonly outcome?: Outcome;
  readonly error?: WizardError;
  readonly waitingFor?: { readonly text: string; readonly since: Timestamp; readonly until?: Timestamp };
  readonly ask?: Ask;
  readonly heldFor?: string;
  readonly pools: PoolsView;
  readonly gates: readonly GateView[];
  readonly rollouts: Readonly<Record<string, RolloutProgress>>;
  /** Live connections of each service's pods, by service. */
  readonly connections: Readonly<Record<string, Pick<ServiceView, 'direct' | 'pooled' | 'replicas'>>>;
  readonly logLines: RunSnapshot['logLines'];
  readonly following?: RunSnapshot['following'];
  readonly lock?: RunSnapshot['lock'];
  readonly cluster: RunSnapshot['cluster'];
  readonly exportedTo?: string;
}

const LOG_LINES_KEPT = 500;

export class LiveView {
  #state: LiveState;
  #version = 0;
  readonly #listeners = new Set<() => void>();
  #scheduled = false;

  constructor(initial: LiveState) {
    this.#state = initial;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Grows with every change, so that a snapshot built from an older version can be thrown away. */
  get version(): number {
    return this.#version;
  }

  set(change: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...change };
    this.touch();
  }

  addLogLines(source: string, lines: readonly string[]): void {
    // Of a log that is followed every line comes anyway.
    const followed = this.#state.following?.sources ?? [];
    if (followed.some((one) => source === one || source.startsWith(`${one}/`))) return;
    this.addLogRows(lines.map((text) => ({ source, text })));
  }

  addLogRows(rows: RunSnapshot['logLines']): void {
    if (rows.length > 0) this.set({ logLines: [...this.#state.logLines, ...rows].slice(-LOG_LINES_KEPT) });
  }

  /** For the next step. Somebody who reads the log keeps the lines. */
  forgetStep(): void {
    this.set({ gates: [], ...(this.#state.following ? {} : { logLines: [] }) });
  }

  setRollout(service: string, progress: RolloutProgress): void {
    this.set({ rollouts: { ...this.#state.rollouts, [service]: progress } });
  }

  /** Something that snapshots show has changed, here or in the journal. Listeners hear of it once a turn of the loop. */
  touch(): void {
    this.#version++;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const listener of this.#listeners) listener();
    });
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
