/** A run handle with scripted snapshots. */
import type { Intent, RunHandle, RunSnapshot } from '../../engine/run/model.ts';

export interface FakeHandle extends RunHandle {
  readonly sent: Intent[];
  /** How many follow the logs now. */
  readers(): number;
  /** Publishes a new snapshot. */
  show(snapshot: RunSnapshot): void;
}

/** A handle that shows what it is told to and remembers what it is sent. It ends when shown an ended snapshot. */
export function fakeHandle(first: RunSnapshot): FakeHandle {
  let current = first;
  const listeners = new Set<() => void>();
  const sent: Intent[] = [];
  let readers = 0;
  let end: (snapshot: RunSnapshot) => void = () => undefined;
  const ended = new Promise<RunSnapshot>((resolve) => {
    end = resolve;
  });
  if (first.status === 'ended') end(first);
  return {
    sent,
    ended,
    snapshot: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    followLogs() {
      readers++;
      return () => {
        readers--;
      };
    },
    readers: () => readers,
    send(intent) {
      sent.push(intent);
    },
    show(snapshot) {
      current = snapshot;
      for (const listener of listeners) listener();
      if (snapshot.status === 'ended') end(snapshot);
    },
  };
}
