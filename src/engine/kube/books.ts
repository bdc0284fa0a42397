/** The books of a connection to the API server: how it is, how much was asked, what it warned of. */
import type { IncomingMessage } from 'node:http';
import { sanitiseLine } from '../sanitise.ts';
import type { KubeHealth, RequestCounts } from './types.ts';

const UNREACHABLE_MS = 60_000;
const WARNINGS_KEPT = 100;

export class Books {
  #lastSuccess = performance.now();
  #lastError: string | undefined;
  #skewMs: number | undefined;
  #total = 0;
  #watches = 0;
  #retries = 0;
  readonly #byKind: Record<string, number> = {};
  readonly #warnings = new Set<string>();

  /** A request of this kind (`PATCH deployments`) was sent. */
  count(kind: string): void {
    this.#total += 1;
    this.#byKind[kind] = (this.#byKind[kind] ?? 0) + 1;
  }

  countWatch(): void {
    this.#watches += 1;
  }

  countRetry(): void {
    this.#retries += 1;
  }

  /** A sign of life: a read worked, a watch said something. */
  alive(): void {
    this.#lastSuccess = performance.now();
    this.#lastError = undefined;
  }

  failed(message: string): void {
    this.#lastError = message;
  }

  /** The clock and the `Warning:` headers of an answer; `onWarning` is told of each of them. */
  note(response: IncomingMessage, onWarning?: (text: string) => void): void {
    const date = Date.parse(response.headers.date ?? '');
    // The header has whole seconds: the middle of one is the best guess.
    if (!Number.isNaN(date)) this.#skewMs = date + 500 - Date.now();
    const warning = response.headers.warning;
    for (const line of Array.isArray(warning) ? warning : warning ? [warning] : []) {
      // `299 - "text"`
      for (const match of line.matchAll(/\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)) {
        const text = sanitiseLine(match[1]!.replace(/\\(.)/g, '$1'), 500);
        if (this.#warnings.size < WARNINGS_KEPT) this.#warnings.add(text);
        onWarning?.(text);
      }
    }
  }

  health(): KubeHealth {
    const ageMs = Math.round(performance.now() - this.#lastSuccess);
    const state = this.#lastError === undefined ? 'ok' : ageMs > UNREACHABLE_MS ? 'unreachable' : 'stale';
    return {
      state,
      ageMs,
      ...(this.#lastError === undefined ? {} : { error: this.#lastError }),
      ...(this.#skewMs === undefined ? {} : { skewMs: this.#skewMs }),
    };
  }

  counts(): RequestCounts {
    return { total: this.#total, watches: this.#watches, retries: this.#retries, byKind: { ...this.#byKind } };
  }

  warnings(): string[] {
    return [...this.#warnings];
  }
}
