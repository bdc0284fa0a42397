/** Lines a container wrote, as the kubelet keeps them: the running container's and those of the one before it. */
const KEPT = 5_000;

export interface LogLine {
  at: Date;
  line: string;
}

/** The log of one container run. `follow` ends when the run is closed or the signal aborts. */
export class ContainerLog {
  readonly #lines: LogLine[] = [];
  #dropped = 0;
  #closed = false;
  #partial = '';
  readonly #waiting = new Set<() => void>();

  line(text: string): void {
    this.#lines.push({ at: new Date(), line: text });
    if (this.#lines.length > KEPT) {
      this.#lines.shift();
      this.#dropped++;
    }
    this.#wake();
  }

  /** Output of a process: cut into lines here, the unfinished one is kept for the next chunk. */
  write(chunk: Buffer | string): void {
    const parts = (this.#partial + chunk.toString()).split('\n');
    this.#partial = parts.pop() ?? '';
    for (const part of parts) this.line(part.replace(/\r$/, ''));
  }

  close(): void {
    if (this.#partial) {
      this.line(this.#partial);
      this.#partial = '';
    }
    this.#closed = true;
    this.#wake();
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  async *read(options: {
    follow: boolean;
    tailLines?: number;
    sinceTime?: Date;
    signal: AbortSignal;
  }): AsyncIterable<LogLine> {
    const { tailLines, sinceTime, signal } = options;
    let start = this.#dropped;
    if (tailLines !== undefined) start = this.#dropped + Math.max(0, this.#lines.length - tailLines);
    let next = start;
    for (;;) {
      while (next < this.#dropped + this.#lines.length) {
        const entry = this.#lines[Math.max(0, next - this.#dropped)];
        next = Math.max(next, this.#dropped) + 1;
        if (entry && (!sinceTime || entry.at >= sinceTime)) yield entry;
        if (signal.aborted) return;
      }
      if (!options.follow || this.#closed || signal.aborted) return;
      await this.#more(signal);
    }
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
