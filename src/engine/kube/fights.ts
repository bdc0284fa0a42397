/**
 * The fight detector: from the patch to the end of the soak it watches whether our entries stay. At the first one that
 * leaves it names the manager and is silent from then on; nothing is ever put back by itself.
 */
import { onAbort } from './abort.ts';
import { editsOf } from './change.ts';
import { sideOf, sideOfAll } from './edits.ts';
import { templateOf } from './fingerprint.ts';
import { managerOfEntry } from './managers.ts';
import type { Fight } from './option-types.ts';
import { type Kind, workloadId } from './refs.ts';
import { type SharedWatch, shareWatch } from './shared-watch.ts';
import type { Kube, KubeObject } from './types.ts';
import type { WorkloadChange } from './workload-types.ts';

export interface FightWatchOptions {
  readonly signal: AbortSignal;
  readonly onFight: (fight: Fight, change: WorkloadChange) => void;
  /** Run time, ms. */
  readonly now: () => number;
}

export interface FightWatch {
  /** Changes that were sent: watch them from now on. */
  add(change: WorkloadChange): void;
  /** A change we take back ourselves is no fight. */
  remove(change: WorkloadChange): void;
  stop(): void;
}

export function watchForFights(kube: Kube, changes: readonly WorkloadChange[], options: FightWatchOptions): FightWatch {
  const watched = new Map<string, { change: WorkloadChange; settled: boolean }>();
  const shared = new Map<string, SharedWatch>();
  const key = (kind: string, namespace: string, name: string) => `${kind}/${namespace}/${name}`;

  const look = (object: KubeObject) => {
    const id = key(object.kind, object.metadata.namespace, object.metadata.name);
    const entry = watched.get(id);
    if (!entry) return;
    const { change } = entry;
    const edits = editsOf(change);
    const recreated = object.metadata.uid !== change.uid;
    if (!recreated && sideOfAll(templateOf(object), edits) === 'after') {
      entry.settled = true;
      return;
    }
    // Until the watch has shown our own patch, older states are just old.
    if (!entry.settled && !recreated) return;
    watched.delete(id);
    const lost = edits.find((e) => sideOf(templateOf(object), e) !== 'after');
    const manager = lost?.kind === 'env' ? managerOfEntry(object, lost.container, lost.name) : undefined;
    const back = !recreated && sideOfAll(templateOf(object), edits) === 'before';
    const what = recreated
      ? 'was deleted and made again'
      : lost && sideOf(templateOf(object), lost) === 'before'
        ? 'has its original address again'
        : 'has another address now';
    options.onFight(
      {
        ref: change.ref,
        manager: manager ?? 'unknown',
        at: options.now(),
        detail: `${workloadId(change.ref)} ${what}`,
        back,
      },
      change,
    );
  };

  const watch: FightWatch = {
    add(change) {
      if (editsOf(change).length === 0) return;
      const id = key(change.ref.kind, change.ref.namespace!, change.ref.name);
      if (watched.has(id)) return;
      watched.set(id, { change, settled: false });
      const place = `${change.ref.kind}/${change.ref.namespace}`;
      let joined = shared.get(place);
      if (!joined) {
        joined = shareWatch(kube, change.ref.kind as Kind, change.ref.namespace!, look);
        shared.set(place, joined);
      }
      for (const object of joined.items()) look(object);
    },
    remove(change) {
      watched.delete(key(change.ref.kind, change.ref.namespace!, change.ref.name));
    },
    stop() {
      watched.clear();
      for (const one of shared.values()) one.release();
      shared.clear();
    },
  };
  for (const change of changes) watch.add(change);
  onAbort([options.signal], () => watch.stop());
  return watch;
}
