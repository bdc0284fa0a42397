/**
 * A watch that heals itself: LIST, then WATCH with bookmarks from there; reconnects from the last resourceVersion,
 * relists on 410, kills a silent stream after 75 s (a bookmark comes about every minute), lists beside a stream that says
 * nothing when asked to: what client-node's Watch and informer lack.
 */
import type { IncomingMessage } from 'node:http';
import type { WizardError } from '../result.ts';
import { ok, type Result } from '../result.ts';
import { onAbort, pause } from './abort.ts';
import { collectionPath } from './refs.ts';
import type { Transport } from './transport.ts';
import type { KubeList, KubeObject, ListRef, WatchEvent, WatchHandle, WatchOptions } from './types.ts';

const BROKEN = 'the watch broke off';
const SILENT_MS = 75_000;
const SERVER_TIMEOUT_S = 120;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_MOST_MS = 15_000;

/** Errors after which another try is pointless. */
const isFinal = (error: WizardError): boolean =>
  error.code === 'not-authorised' || error.code === 'not-found' || error.code === 'invalid-object';

export interface WatchDeps {
  readonly transport: Transport;
  readonly list: (ref: ListRef, signal: AbortSignal) => Promise<Result<KubeList>>;
  readonly silentMs?: number;
}

export function startWatch(deps: WatchDeps, target: ListRef, options: WatchOptions): WatchHandle {
  return new ResourceWatch(deps, target, options);
}

class ResourceWatch implements WatchHandle {
  readonly synced: Promise<Result<void>>;
  readonly #deps: WatchDeps;
  readonly #target: ListRef;
  readonly #options: WatchOptions;
  readonly #objects = new Map<string, KubeObject>();
  readonly #stop = new AbortController();
  #settleSynced: (result: Result<void>) => void = () => {};
  #resourceVersion: string | undefined;
  #lastSign = performance.now();
  #stale = false;
  /** A response body being read; destroyed to force a reconnect. */
  #stream: IncomingMessage | undefined;

  constructor(deps: WatchDeps, target: ListRef, options: WatchOptions) {
    this.#deps = deps;
    this.#target = target;
    this.#options = options;
    this.synced = new Promise((resolve) => {
      this.#settleSynced = resolve;
    });
    const off = onAbort([options.signal, deps.transport.closed], () => this.stop());
    this.#stop.signal.addEventListener('abort', off, { once: true });
    void this.#run();
    if (options.safetyPollMs) void this.#poll(options.safetyPollMs);
  }

  items(): ReadonlyMap<string, KubeObject> {
    return this.#objects;
  }

  ageMs(): number {
    return Math.round(performance.now() - this.#lastSign);
  }

  stop(): void {
    this.#stop.abort();
    this.#stream?.destroy();
    this.#settleSynced({ ok: true, value: undefined });
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      if (this.#resourceVersion === undefined) {
        const listed = await this.#deps.list(this.#target, this.#stop.signal);
        if (this.#stop.signal.aborted) return;
        if (!listed.ok) {
          if (isFinal(listed.error)) {
            this.#settleSynced(listed);
            this.#setState(true, listed.error.message);
            return;
          }
          this.#setState(true, listed.error.message);
          failures += 1;
          await this.#backoff(failures);
          continue;
        }
        this.#reconcile(listed.value);
        this.#resourceVersion = listed.value.resourceVersion;
        this.#settleSynced(ok(undefined));
      }
      const outcome = await this.#stream1();
      if (outcome === 'clean') {
        failures = 0;
      } else if (outcome === 'expired') {
        this.#resourceVersion = undefined;
      } else if (!this.#stop.signal.aborted) {
        failures += 1;
        this.#setState(true, outcome);
        await this.#backoff(failures);
      }
    }
  }

  /** One WATCH request until it ends. */
  async #stream1(): Promise<'clean' | 'expired' | string> {
    const { apiVersion, plural, labelSelector, fieldSelector } = this.#target;
    this.#deps.transport.countWatch();
    const opened = await this.#deps.transport.open({
      method: 'GET',
      path: collectionPath(this.#target),
      query: {
        watch: true,
        allowWatchBookmarks: true,
        timeoutSeconds: SERVER_TIMEOUT_S,
        resourceVersion: this.#resourceVersion,
        labelSelector,
        fieldSelector,
      },
      what: `watch ${plural}.${apiVersion}`,
      kind: `WATCH ${plural}`,
      timeoutMs: 30_000,
      signal: this.#stop.signal,
    });
    if (!opened.ok) {
      if (opened.error.details?.status === 410) return 'expired';
      // A proxy that lost the version, or a server that restarted with less history: list again.
      if (opened.error.code === 'invalid-object') return 'expired';
      return opened.error.message;
    }
    this.#sign();
    return this.#read(opened.value);
  }

  #read(response: IncomingMessage): Promise<'clean' | 'expired' | string> {
    return new Promise((resolve) => {
      this.#stream = response;
      const silentMs = this.#deps.silentMs ?? SILENT_MS;
      let verdict: string = BROKEN;
      let rest = '';
      let timer = setTimeout(() => silent(), silentMs);
      const silent = () => {
        verdict = `nothing heard for ${Math.round(silentMs / 1000)} s`;
        response.destroy();
      };
      const finish = () => {
        clearTimeout(timer);
        this.#stream = undefined;
        resolve(verdict);
      };
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        this.#sign();
        clearTimeout(timer);
        timer = setTimeout(() => silent(), silentMs);
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (line === '') continue;
          const expired = this.#line(line);
          if (expired) {
            verdict = expired;
            response.destroy();
            return;
          }
        }
      });
      response.on('end', () => {
        if (verdict === BROKEN) verdict = 'clean';
      });
      response.on('error', (error) => {
        if (verdict === BROKEN) verdict = error.message;
      });
      response.on('close', finish);
      if (this.#stop.signal.aborted) response.destroy();
    });
  }

  /** Takes one line in; a returned word ends the stream. */
  #line(line: string): 'expired' | string | undefined {
    let event: { type: string; object: KubeObject };
    try {
      event = JSON.parse(line);
    } catch {
      return 'a line of the watch is not JSON';
    }
    if (event.type === 'ERROR') {
      const status = event.object as { code?: number; message?: string };
      return status.code === 410 ? 'expired' : (status.message ?? 'the watch reports an error');
    }
    const version: string | undefined = event.object?.metadata?.resourceVersion;
    if (version) this.#resourceVersion = version;
    if (event.type === 'ADDED' || event.type === 'MODIFIED' || event.type === 'DELETED') {
      this.#take(event.type, event.object);
    }
    return undefined;
  }

  #take(type: WatchEvent['type'], object: KubeObject): void {
    const uid: string = object.metadata.uid;
    const held = this.#objects.get(uid);
    if (type === 'DELETED') {
      if (held === undefined) return;
      this.#objects.delete(uid);
      this.#emit('DELETED', object);
      return;
    }
    // Duplicates and late repeats (a reconnect, the safety poll) must not look like changes.
    if (held && !isNewer(object, held)) return;
    this.#objects.set(uid, object);
    this.#emit(held ? 'MODIFIED' : 'ADDED', object);
  }

  /** A LIST is the truth as of its version: emit what differs. */
  #reconcile(list: KubeList): void {
    this.#sign();
    const seen = new Set<string>();
    for (const object of list.items) {
      seen.add(object.metadata.uid);
      this.#take('MODIFIED', object);
    }
    for (const [uid, object] of this.#objects) {
      if (!seen.has(uid) && !isLater(object.metadata.resourceVersion, list.resourceVersion)) {
        this.#objects.delete(uid);
        this.#emit('DELETED', object);
      }
    }
  }

  #emit(type: WatchEvent['type'], object: KubeObject): void {
    this.#options.onEvent?.({ type, object });
  }

  /**
   * A stream that says nothing is asked beside: it may be dead whatever TCP thinks, or there may be no news. One that
   * speaks proves itself, so no state is ever older than `silentFor` and a LIST, and a busy watch costs no LIST at all.
   */
  async #poll(silentFor: number): Promise<void> {
    let wait = silentFor;
    while (await pause(wait, [this.#stop.signal])) {
      const before = this.ageMs();
      wait = before < silentFor ? silentFor - before : silentFor;
      if (this.#resourceVersion === undefined || before < silentFor) continue;
      const listed = await this.#deps.list(this.#target, this.#stop.signal);
      if (!listed.ok || this.#stop.signal.aborted) continue;
      const quiet = this.ageMs() >= before;
      let news = 0;
      for (const object of listed.value.items) {
        const held = this.#objects.get(object.metadata.uid);
        if (!held || isNewer(object, held)) news += 1;
      }
      this.#reconcile(listed.value);
      // The LIST knew more than a silent stream: the stream is dead.
      if (news > 0 && quiet) this.#stream?.destroy();
    }
  }

  #sign(): void {
    this.#lastSign = performance.now();
    this.#deps.transport.alive();
    if (this.#stale) this.#setState(false, 'connected again');
  }

  #setState(stale: boolean, detail: string): void {
    if (this.#stale === stale) return;
    this.#stale = stale;
    this.#options.onState?.(stale ? 'stale' : 'live', detail);
  }

  async #backoff(failures: number): Promise<void> {
    const most = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
    await pause(most * (0.5 + Math.random() / 2), [this.#stop.signal]);
  }
}

/** Versions are opaque in law and integers in fact; where they are not, anything different counts as newer. */
function isNewer(next: KubeObject, held: KubeObject): boolean {
  const a = next.metadata.resourceVersion;
  const b = held.metadata.resourceVersion;
  if (a === b) return false;
  return !(isInteger(a) && isInteger(b)) || BigInt(a) > BigInt(b);
}

const isInteger = (text: unknown): text is string => typeof text === 'string' && /^\d+$/.test(text);

const isLater = (a: unknown, b: unknown): boolean => isInteger(a) && isInteger(b) && BigInt(a) > BigInt(b);
