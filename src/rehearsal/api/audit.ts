/** What was asked of the API, by whom and how often: the books that `/rehearsal/v1/requests` shows. */
import { parseResourcePath, verbOf } from './routes.ts';

/** By client (`pgb-wizard`, `kubectl`), then by `verb resource[/subresource]`: `list pods`, `get pods/portforward`. */
export type RequestBook = Record<string, Record<string, number>>;

/** `[ms since the epoch, client, what]`. */
export type RequestNote = readonly [at: number, client: string, what: string];

/** Requests kept one by one; older ones are in the sums alone. */
const KEPT = 50_000;

export class Audit {
  readonly #book: RequestBook = {};
  #notes: RequestNote[] = [];

  /** Notes one request, refused ones included; the rehearsal's own endpoints are left out. */
  note(method: string, url: URL, userAgent: string | undefined): void {
    if (url.pathname.startsWith('/rehearsal/')) return;
    const parsed = parseResourcePath(url.pathname);
    const what = parsed
      ? `${verbOf(method, parsed, url.searchParams)} ${parsed.plural}${parsed.subresource ? `/${parsed.subresource}` : ''}`
      : `${method.toLowerCase()} ${url.pathname}`;
    const client = /^[^/\s]+/.exec(userAgent ?? '')?.[0] ?? 'unknown';
    this.#book[client] ??= {};
    const own = this.#book[client];
    own[what] = (own[what] ?? 0) + 1;
    this.#notes.push([Date.now(), client, what]);
    if (this.#notes.length > 2 * KEPT) this.#notes = this.#notes.slice(-KEPT);
  }

  book(): RequestBook {
    return structuredClone(this.#book);
  }

  /** The newest ones, in their order. */
  notes(): readonly RequestNote[] {
    return this.#notes.slice(-KEPT);
  }
}
