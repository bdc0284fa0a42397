/**
 * The door to the screen: mounts it, answers signals, gives the terminal back, prints what stays in the scrollback.
 * It never ends the process (except after a lost terminal, when nobody else does) and never touches the run but through
 * its handle.
 */
import { type Instance, render } from 'ink';
import { ASCII, isUtf8Locale, type ThemeName, themeNameFor, themeOf, UNICODE } from '../components/theme.ts';
import type { Result } from '../engine/result.ts';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';
import { showAccessible } from './accessible.ts';
import { App, type Bridge } from './app.tsx';
import type { Notify } from './due.ts';
import { renderEndSummary } from './end.ts';
import { type Keymap, keymapOf } from './keys.ts';
import type { StartInfo } from './screen.ts';
import { exitSoon, guardTerminal, stopJob, type TerminalLoss } from './terminal.ts';

export { renderEndSummary } from './end.ts';

export interface WizardOptions {
  /** The run, or the promise of one; the first frame does not wait for it. */
  readonly handle: RunHandle | Promise<Result<RunHandle>>;
  readonly start?: StartInfo;
  /** From `keymapOf`; the defaults when absent. */
  readonly keymap?: Keymap;
  readonly theme?: ThemeName;
  /** Linear output and numbered questions. TERM=dumb asks for it too. */
  readonly accessible?: boolean;
  /** `never`, or NO_COLOR in the environment: no colour, no bold, no inversion. */
  readonly color: 'auto' | 'never';
  /** Absent: ASCII when the locale is not UTF-8. */
  readonly ascii?: boolean;
  readonly stdout: NodeJS.WriteStream;
  readonly stdin: NodeJS.ReadStream;
  /** The run needs a human: a decision that is due, a failure. Called once for each; the terminal's bell rings as well. */
  readonly notify?: Notify;
  /** Aborted by the caller's own SIGINT and SIGTERM handlers. Without it the screen installs handlers of its own. */
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface WizardResult {
  /** The last one; undefined when no run came to be. */
  readonly snapshot: RunSnapshot | undefined;
  readonly leftBy: 'end' | 'leave' | 'signal' | 'error';
  /** Which signal; a closed terminal counts as SIGHUP (exit code 129). */
  readonly signal?: 'SIGHUP' | 'SIGTERM' | 'SIGINT';
  /** Why the screen itself broke. */
  readonly error?: Error;
  /** The end summary was printed. */
  readonly summarised: boolean;
}

/** A lost terminal: how long the run may take to park itself and give its lock back. */
const HANG_UP_MS = 3000;
/** How long the screen stays up for a run that parks itself after a signal. */
const PARK_MS = 2500;

/** Shows the run until it ends or is left. Never rejects. */
export async function showWizard(options: WizardOptions): Promise<WizardResult> {
  const env = options.env ?? process.env;
  const ascii = options.ascii ?? !isUtf8Locale(env);
  const plain = options.color === 'never' || (env.NO_COLOR !== undefined && env.NO_COLOR !== '');
  const theme = themeOf(plain ? 'none' : themeNameFor(options.theme, env));
  const linear = options.accessible || env.TERM === 'dumb';
  const shown = linear
    ? await showAccessible({ ...options, ascii: true })
    : await showFrames(options, { ascii, theme });
  const alive = shown.signal !== 'SIGHUP' && options.stdout.writable;
  if (shown.snapshot === undefined || !alive) return { ...shown, summarised: false };
  const width = Math.max(40, Math.min(120, options.stdout.columns ?? 80));
  await new Promise<void>((resolve) => {
    options.stdout.write(
      `${renderEndSummary(shown.snapshot!, { width, theme: linear ? themeOf('none') : theme, ascii: ascii || linear, start: options.start ?? {} })}\n`,
      () => resolve(),
    );
  });
  return { ...shown, summarised: true };
}

const lossOf = (reason: unknown): TerminalLoss['reason'] =>
  reason === 'SIGINT' || reason === 'SIGHUP' ? reason : 'SIGTERM';

type Shown = Omit<WizardResult, 'summarised'>;

function showFrames(
  options: WizardOptions,
  look: { ascii: boolean; theme: ReturnType<typeof themeOf> },
): Promise<Shown> {
  const { stdin, stdout, start = {}, notify } = options;
  const keymap = options.keymap ?? keymapOf().keymap;
  return new Promise((resolve) => {
    const bridge: Bridge = {};
    let handle: RunHandle | undefined;
    let closing = false;
    let instance: Instance | undefined;
    let stopping = false;

    const close = (leftBy: WizardResult['leftBy'], more: Partial<Shown> = {}) => {
      if (closing) return;
      closing = true;
      options.signal?.removeEventListener('abort', onAbort);
      const settle = () => {
        unguard();
        resolve({ snapshot: handle?.snapshot(), leftBy, ...more });
      };
      if (instance === undefined) {
        // Ink may have got as far as the alternate screen.
        stdout.write('\u001B[?1049l\u001B[?25h');
        settle();
        return;
      }
      instance.unmount();
      instance.waitUntilExit().then(settle, settle);
    };

    const onLoss = ({ reason }: TerminalLoss) => {
      handle?.send({ kind: 'leave' });
      if (reason === 'SIGHUP') {
        exitSoon(129, HANG_UP_MS);
        close('signal', { signal: reason });
        return;
      }
      // A second one does not wait.
      if (leaving) close('signal', { signal: reason });
      leaving = true;
      leaveWhenParked(reason);
    };
    let leaving = false;
    const leaveWhenParked = (signal: 'SIGTERM' | 'SIGINT') => {
      const done = () => close('signal', { signal });
      if (handle === undefined) {
        done();
        return;
      }
      setTimeout(done, PARK_MS).unref();
      void handle.ended.then(done);
    };
    const onAbort = () => onLoss({ reason: lossOf(options.signal?.reason) });
    const unguard = guardTerminal({
      stdin,
      stdout,
      interrupts: options.signal === undefined,
      onLoss,
      onContinue: () => {
        // After our own Ctrl+Z the suspension draws again by itself.
        if (!stopping) bridge.redraw?.();
      },
      onStop: () => onEffect('suspend'),
    });
    options.signal?.addEventListener('abort', onAbort, { once: true });

    const onEffect = (effect: 'leave-now' | 'close' | 'suspend' | 'redraw') => {
      if (effect === 'leave-now') close('leave');
      else if (effect === 'close') close('end');
      else if (effect === 'redraw') bridge.redraw?.();
      else if (bridge.suspend !== undefined && !stopping) {
        stopping = true;
        stopJob(bridge.suspend).then(
          () => {
            stopping = false;
          },
          (error: unknown) => close('error', { error: error instanceof Error ? error : new Error(String(error)) }),
        );
      }
    };
    const onDue: Notify = async (event) => {
      stdout.write('\u0007');
      return notify?.(event);
    };
    const element = (loaded: RunHandle | undefined) => (
      <App
        handle={loaded}
        start={start}
        keymap={keymap}
        theme={look.theme}
        glyphs={look.ascii ? ASCII : UNICODE}
        onEffect={onEffect}
        onDue={onDue}
        bridge={bridge}
      />
    );
    const attach = (loaded: RunHandle) => {
      handle = loaded;
      if (closing) {
        loaded.send({ kind: 'leave' });
        return;
      }
      instance?.rerender(element(loaded));
      void loaded.ended.then((last) => {
        // Parked means that someone asked to leave; every other end is shown until a key closes it.
        if (last.outcome === 'parked' && !leaving) close('leave');
      });
    };

    try {
      const ready = 'snapshot' in options.handle ? options.handle : undefined;
      instance = render(element(ready), {
        stdin,
        stdout,
        alternateScreen: true,
        incrementalRendering: true,
        exitOnCtrlC: false,
        // A stray console call must not tear the frame; a console that is not Node's own can't be patched.
        patchConsole: typeof console.Console === 'function',
        // Keys are answered at once; what comes from the run is held to four frames a second by `useRun`.
        maxFps: 60,
        interactive: true,
      });
      instance.waitUntilExit().then(
        () => close('leave'),
        (error: unknown) => close('error', { error: error instanceof Error ? error : new Error(String(error)) }),
      );
      if (ready !== undefined) attach(ready);
      else {
        Promise.resolve(options.handle).then(
          (result) => {
            if ('snapshot' in result) attach(result);
            else if (result.ok) attach(result.value);
            else close('error');
          },
          (error: unknown) => close('error', { error: error instanceof Error ? error : new Error(String(error)) }),
        );
      }
    } catch (error) {
      close('error', { error: error instanceof Error ? error : new Error(String(error)) });
    }
  });
}
