/**
 * One watch for all who look at the same kind in the same namespace: sixteen rollouts cost four LISTs, not sixty-four.
 * A watch nobody uses any more lingers a while, because the next service follows at once.
 */
import type { Result } from '../result.ts';
import { type Kind, listOf } from './refs.ts';
import type { Kube, KubeObject, WatchHandle } from './types.ts';

const LINGER_MS = 60_000;
const SAFETY_POLL_MS = 15_000;

interface Entry {
  readonly handle: WatchHandle;
  readonly listeners: Set<(object: KubeObject) => void>;
  readonly stop: AbortController;
  timer: NodeJS.Timeout | undefined;
}

/** By the connection: the same one may be bound to many pieces of work (bound.ts). */
const entries = new WeakMap<Kube['ref'], Map<string, Entry>>();

export interface SharedWatch {
  readonly synced: Promise<Result<void>>;
  items(): Iterable<KubeObject>;
  ageMs(): number;
  release(): void;
}

/** Joins (or opens) the watch of a kind in a namespace. `onChange` hears every object that changed. */
export function shareWatch(
  kube: Kube,
  kind: Kind,
  namespace: string,
  onChange: (object: KubeObject) => void,
): SharedWatch {
  const byKey = entries.get(kube.ref) ?? new Map<string, Entry>();
  entries.set(kube.ref, byKey);
  const key = `${kind}/${namespace}`;
  let entry = byKey.get(key);
  if (!entry) {
    const listeners = new Set<(object: KubeObject) => void>();
    const stop = new AbortController();
    const handle = kube.watch(listOf(kind, namespace), {
      signal: stop.signal,
      safetyPollMs: kind === 'Event' ? 0 : SAFETY_POLL_MS,
      onEvent: ({ object }) => {
        for (const listener of listeners) listener(object);
      },
    });
    entry = { handle, listeners, stop, timer: undefined };
    byKey.set(key, entry);
    const made = entry;
    // A watch that failed for good must not be handed to the next caller.
    void handle.synced.then((result) => {
      if (!result.ok && byKey.get(key) === made) byKey.delete(key);
    });
  }
  const joined = entry;
  clearTimeout(joined.timer);
  joined.listeners.add(onChange);
  return {
    synced: joined.handle.synced,
    items: () => joined.handle.items().values(),
    ageMs: () => joined.handle.ageMs(),
    release() {
      joined.listeners.delete(onChange);
      if (joined.listeners.size > 0) return;
      clearTimeout(joined.timer);
      joined.timer = setTimeout(() => {
        joined.stop.abort();
        if (byKey.get(key) === joined) byKey.delete(key);
      }, LINGER_MS);
      joined.timer.unref();
    },
  };
}
