/**
 * The pods of the namespace as a watch has them. What looks every few seconds, the whole change long, need not list them
 * each time; what proves something (a step, a gate) still lists them itself.
 */
import { type SharedWatch, shareWatch } from '../kube/shared-watch.ts';
import type { Kube, KubeObject } from '../kube/types.ts';

/** The watch lists when its stream was silent for 15 s: a sign of life that is much older says that it is broken. */
const ALIVE_MS = 20_000;
/** Before a watch that was refused is tried again. */
const AGAIN_MS = 60_000;

export class SeenPods {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #signal: AbortSignal;
  #watch: SharedWatch | undefined;
  #refusedAt: number | undefined;

  /** The watch begins with the first question and ends with `signal`. */
  constructor(kube: Kube, namespace: string, signal: AbortSignal) {
    this.#kube = kube;
    this.#namespace = namespace;
    this.#signal = signal;
  }

  /** All pods, at most moments old; undefined while no watch is alive (forbidden, broken, the cluster silent). */
  async items(): Promise<readonly KubeObject[] | undefined> {
    if (this.#signal.aborted) return undefined;
    if (this.#refusedAt !== undefined && performance.now() - this.#refusedAt < AGAIN_MS) return undefined;
    if (!this.#watch) {
      this.#watch = shareWatch(this.#kube, 'Pod', this.#namespace, () => {});
      this.#signal.addEventListener('abort', () => this.#watch?.release(), { once: true });
    }
    const watch = this.#watch;
    const synced = await watch.synced;
    if (!synced.ok) {
      this.#refusedAt = performance.now();
      if (this.#watch === watch) this.#watch = undefined;
      watch.release();
      return undefined;
    }
    return watch.ageMs() < ALIVE_MS ? [...watch.items()] : undefined;
  }
}
