/** Waits that end with their pod: whoever sleeps when it goes is never woken. */
export class PodTimers {
  readonly #timers = new Set<NodeJS.Timeout>();

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, milliseconds);
      this.#timers.add(timer);
    });
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
