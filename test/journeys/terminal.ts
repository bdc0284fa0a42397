/**
 * A terminal as an operator has one: a real pty with the built program in it, and a screen that is read like a person
 * reads it. Everything waits on what the screen shows, nothing on time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type IPty, spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';

export const PROGRAM = fileURLToPath(new URL('../../bin/pgb-wizard.js', import.meta.url));
const LOOK_EVERY_MS = 25;

export type Seen = string | RegExp | ((screen: string) => boolean);

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** State folder and HOME; the same one for a terminal that takes up where another one was cut off. */
  readonly home: string;
  /** Everything that is written to the terminal, as it comes. */
  readonly onOutput?: (data: string) => void;
  /** Keys are about to be sent: a reader has read what is there. */
  readonly onKeys?: () => void;
}

/** A folder that is HOME and state folder of one journey. */
export function newHome(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'pgb-wizard-journey-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export const environment = (home: string, env: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  HOME: home,
  PGB_WIZARD_HOME: join(home, 'state'),
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
  ...env,
});

export class Terminal {
  readonly pty: IPty;
  readonly #term: InstanceType<typeof xterm.Terminal>;
  readonly #onKeys: (() => void) | undefined;
  #written = 0;
  #drawn = 0;
  #exit: { exitCode: number; signal?: number } | undefined;

  constructor(args: readonly string[], { columns = 100, rows = 30, env, home, onOutput, onKeys }: TerminalOptions) {
    this.#onKeys = onKeys;
    this.#term = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 2000 });
    this.pty = spawn(process.execPath, [PROGRAM, ...args], {
      name: 'xterm-256color',
      cols: columns,
      rows,
      env: environment(home, env),
    });
    this.pty.onData((data) => {
      onOutput?.(data);
      this.#written += 1;
      this.#term.write(data, () => {
        this.#drawn += 1;
      });
    });
    this.#term.onData((data) => {
      if (this.#exit === undefined) this.pty.write(data);
    });
    this.pty.onExit((exit) => {
      this.#exit = exit;
    });
  }

  /** Hears everything that is written from now on, as it comes. */
  listen(heard: (data: string) => void): this {
    this.pty.onData(heard);
    return this;
  }

  /** What is on the screen now, a line a row. */
  screen(): string {
    const { active } = this.#term.buffer;
    return Array.from({ length: this.#term.rows }, (_, row) => this.#line(active.viewportY + row)).join('\n');
  }

  /** The scrollback and the screen: what is left in the terminal. */
  everything(): string {
    const { active } = this.#term.buffer;
    return Array.from({ length: active.length }, (_, row) => this.#line(row)).join('\n');
  }

  #line(row: number): string {
    return this.#term.buffer.active.getLine(row)?.translateToString(true) ?? '';
  }

  /** Waits until the screen shows it; answers the screen. Fails with the screen that was there instead. */
  async see(wanted: Seen, limitMs = 60_000): Promise<string> {
    const end = performance.now() + limitMs;
    for (;;) {
      const screen = this.screen();
      if (this.#drawn === this.#written && matches(screen, wanted)) return screen;
      if (performance.now() > end) throw new Error(`not seen in ${limitMs} ms: ${wanted}\n${screen}`);
      if (this.#exit !== undefined && this.#drawn === this.#written) {
        throw new Error(`the program ended (${this.#exit.exitCode}) before ${wanted} was seen\n${this.everything()}`);
      }
      await tick();
    }
  }

  /** Sends keys one after the other, each as a chunk of its own. */
  async keys(...keys: readonly string[]): Promise<void> {
    this.#onKeys?.();
    for (const key of keys) {
      this.pty.write(KEYS[key] ?? key);
      await tick();
    }
  }

  /** How the program ended. */
  async over(limitMs = 60_000): Promise<{ exitCode: number; signal?: number }> {
    const end = performance.now() + limitMs;
    while (this.#exit === undefined || this.#drawn !== this.#written) {
      if (performance.now() > end) throw new Error(`still running after ${limitMs} ms\n${this.screen()}`);
      await tick();
    }
    return this.#exit;
  }

  get ended(): boolean {
    return this.#exit !== undefined;
  }

  kill(signal: 'SIGKILL' | 'SIGHUP' | 'SIGTERM'): void {
    if (this.#exit === undefined) process.kill(this.pty.pid, signal);
  }
}

const KEYS: Readonly<Record<string, string>> = {
  enter: '\r',
  escape: '\u001B',
  up: '\u001B[A',
  down: '\u001B[B',
};

const tick = () => new Promise<void>((resolve) => setTimeout(resolve, LOOK_EVERY_MS));

export const matches = (screen: string, wanted: Seen): boolean =>
  typeof wanted === 'string'
    ? screen.includes(wanted)
    : wanted instanceof RegExp
      ? wanted.test(screen)
      : wanted(screen);
