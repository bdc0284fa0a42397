/** Watches: the past from the history, then live events, filtered with selector transitions; bookmarks and timeouts. */
import type { ServerResponse } from 'node:http';
import type { Json, KubeObject } from '../contract.ts';
import { failure } from './errors.ts';
import type { FaultAction } from './faults.ts';
import type { Change, RehearsalStore } from './store.ts';

export interface WatchRequest {
  store: RehearsalStore;
  resource: string;
  namespace: string | undefined;
  matches: (object: KubeObject) => boolean;
  /** How an object is put into an event: as it is, as a Table, as another view of it. */
  present: (object: KubeObject) => Json;
  /** Kind and apiVersion of bookmarks. */
  bookmark: { kind: string; apiVersion: string };
  resourceVersion: string | null;
  sendInitialEvents: boolean;
  bookmarks: boolean;
  timeoutSeconds: number | undefined;
  faults: readonly FaultAction[];
}

const BOOKMARK_EVERY = 60_000;

/** Serves one watch until the client leaves, the timeout passes or a fault ends it. Headers go out at once. */
export function serveWatch(request: WatchRequest, response: ServerResponse): void {
  const { store, matches, present } = request;
  response.writeHead(200, { 'Content-Type': 'application/json' });
  // Without this a client with a short timeout waits for headers that only the first event would carry.
  response.flushHeaders();

  const fault = request.faults.find((one) => one.type === 'watch');
  let sent = 0;
  let ended = false;
  let stop = (): void => {};
  const timers: NodeJS.Timeout[] = [];
  const end = (): void => {
    if (ended) return;
    ended = true;
    stop();
    for (const timer of timers) clearTimeout(timer);
    response.end();
  };
  const send = (type: string, object: Json): void => {
    if (ended) return;
    if (fault?.type === 'watch' && sent >= fault.afterEvents) {
      if (fault.how === 'truncate') end();
      return;
    }
    sent += 1;
    response.write(`${JSON.stringify({ type, object })}\n`);
  };

  const inScope = (object: KubeObject): boolean =>
    request.namespace === undefined || object.metadata.namespace === request.namespace;
  const deliver = (change: Change): void => {
    if (change.resource !== request.resource || !inScope(change.object)) return;
    const now = matches(change.object);
    const before = change.old !== undefined && matches(change.old);
    if (change.type === 'DELETED') {
      if (before || now) send('DELETED', present(change.object));
    } else if (change.type === 'ADDED') {
      if (now) send('ADDED', present(change.object));
    } else if (now) send(before ? 'MODIFIED' : 'ADDED', present(change.object));
    // An object that leaves the selector is deleted for this watcher, with the revision of the change.
    else if (before) {
      const left = change.old as KubeObject;
      send('DELETED', present({ ...left, metadata: { ...left.metadata, resourceVersion: String(change.revision) } }));
    }
  };
  const sendBookmark = (annotations?: Record<string, string>): void => {
    send('BOOKMARK', {
      ...request.bookmark,
      metadata: { resourceVersion: String(store.revision()), ...(annotations === undefined ? {} : { annotations }) },
    });
  };

  const from = request.resourceVersion ?? '';
  if (request.sendInitialEvents || from === '' || from === '0') {
    for (const object of store.each(request.resource, request.namespace)) {
      if (matches(object)) send('ADDED', present(object));
    }
    if (request.sendInitialEvents && request.bookmarks) sendBookmark({ 'k8s.io/initial-events-end': 'true' });
  } else {
    const missed = store.since(Number(from));
    if (missed === undefined) {
      send('ERROR', failure(410, 'Expired', `too old resource version: ${from} (${store.oldest()})`).status);
      end();
      return;
    }
    for (const change of missed) deliver(change);
  }
  if (ended) return;
  stop = store.observe(deliver);
  // 'close' of the response: the request closes as soon as its empty body was read.
  response.on('close', end);
  if (request.timeoutSeconds !== undefined && request.timeoutSeconds > 0) {
    timers.push(setTimeout(end, request.timeoutSeconds * 1000));
  }
  if (request.bookmarks) timers.push(setInterval(sendBookmark, BOOKMARK_EVERY));
  for (const timer of timers) timer.unref();
}
