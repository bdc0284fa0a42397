/**
 * The logs on the screen, followed while somebody looks at them. Nothing of it is kept, and no step waits for it: what a
 * step proves by a log it reads itself.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Kube } from '../kube/types.ts';
import type { Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { FollowedContainer } from '../steps/followed-logs.ts';
import type { Clock } from './clock.ts';
import type { LiveView } from './live.ts';
import type { RunSnapshot } from './model.ts';

export interface LogFeedPorts {
  readonly kube: Pick<Kube, 'followLogs'>;
  readonly namespace: string;
  readonly live: LiveView;
  readonly clock: Clock;
  /** Asked again and again: pods come and go, and so do steps. */
  readonly wanted: (signal: AbortSignal) => Promise<Result<readonly FollowedContainer[]>>;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 1500;
/** Lines of many streams reach the screen together. */
const FLUSH_EVERY_MS = 250;
/** What a log said just before somebody looked. */
const FIRST_LINES = 20;
/** More would scroll by unread between two frames. */
const MOST_WAITING = 500;

/** One start of one container. */
interface Log {
  stream: AbortController | undefined;
  /** When its last line came; a log that is opened again goes on from there. */
  heardAt: number | undefined;
  /** The container has ended: nothing more comes of it. */
  over: boolean;
}

export class LogFeed {
  readonly #ports: LogFeedPorts;
  readonly #logs = new Map<string, Log>();
  #waiting: { source: string; text: string }[] = [];
  #flush: NodeJS.Timeout | undefined;
  #viewers = 0;
  #stop: AbortController | undefined;

  constructor(ports: LogFeedPorts) {
    this.#ports = ports;
  }

  /** Somebody looks; the answer ends it. The streams end with the last one. */
  watch(): () => void {
    this.#viewers++;
    if (!this.#stop) {
      this.#stop = new AbortController();
      void this.#run(AbortSignal.any([this.#stop.signal, this.#ports.signal]));
    }
    let watching = true;
    return () => {
      if (!watching) return;
      watching = false;
      if (--this.#viewers > 0) return;
      this.#stop?.abort();
      this.#stop = undefined;
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, live, wanted } = this.#ports;
    // Lines that the screen has lost are told once more.
    if (live.state.logLines.length === 0) this.#logs.clear();
    while (!signal.aborted) {
      const found = await wanted(signal);
      if (signal.aborted) break;
      if (found.ok) this.#follow(found.value, signal);
      const following: RunSnapshot['following'] = found.ok
        ? { sources: [...new Set(found.value.map((one) => one.source))] }
        : { sources: [], problem: sanitiseLine(found.error.message, 200) };
      if (!isDeepStrictEqual(following, live.state.following)) live.set({ following });
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
    // Somebody else may have begun to look in the meantime.
    if (this.#viewers === 0) live.set({ following: undefined });
  }

  #follow(wanted: readonly FollowedContainer[], signal: AbortSignal): void {
    for (const one of wanted) {
      const log = this.#logs.get(one.run) ?? { stream: undefined, heardAt: undefined, over: false };
      this.#logs.set(one.run, log);
      if (!log.stream && !log.over) void this.#stream(one, log, signal);
    }
    // A service whose turn is over.
    const runs = new Set(wanted.map((one) => one.run));
    for (const [run, log] of this.#logs) if (!runs.has(run)) log.stream?.abort();
  }

  async #stream(one: FollowedContainer, log: Log, whole: AbortSignal): Promise<void> {
    const stream = new AbortController();
    log.stream = stream;
    const signal = AbortSignal.any([stream.signal, whole]);
    const { heardAt } = log;
    const done = await this.#ports.kube.followLogs(this.#ports.namespace, one.pod, {
      container: one.container,
      ...(heardAt === undefined
        ? { tail: FIRST_LINES }
        : { sinceSeconds: Math.max(1, Math.ceil((performance.now() - heardAt) / 1000)) }),
      signal,
      onLine: (text) => {
        if (signal.aborted) return;
        log.heardAt = performance.now();
        this.#add(one.source, text);
      },
    });
    // One that broke off, or could not be opened yet, is opened again with the next look.
    if (done.ok && !signal.aborted) log.over = true;
    if (log.stream === stream) log.stream = undefined;
  }

  #add(source: string, text: string): void {
    this.#waiting.push({ source, text });
    if (this.#waiting.length > 2 * MOST_WAITING) this.#waiting = this.#waiting.slice(-MOST_WAITING);
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      const rows = this.#waiting.slice(-MOST_WAITING);
      this.#waiting = [];
      this.#ports.live.addLogRows(rows);
    }, FLUSH_EVERY_MS);
  }
}
