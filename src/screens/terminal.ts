/**
 * The ways a terminal takes itself away: signals, a closed pty, Ctrl+Z. A SIGHUP handler that does not unmount would
 * leave a process that writes into nothing for ever, so a lost terminal ends the screen at once; the journal needs no
 * farewell. Whoever called the screen decides on the exit code; if it does not come to that, 129 after a grace period.
 */
import { closeSync } from 'node:fs';

export interface TerminalLoss {
  readonly reason: 'SIGHUP' | 'SIGTERM' | 'SIGINT';
}

export interface GuardOptions {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  /** SIGINT and SIGTERM, when nobody else listens to them. */
  readonly interrupts: boolean;
  readonly onLoss: (loss: TerminalLoss) => void;
  readonly onContinue: () => void;
  /** SIGTSTP from outside; Ctrl+Z is a plain key in raw mode. */
  readonly onStop: () => void;
}

/** Installs the handlers; the returned function takes all of them away again. */
export function guardTerminal({ stdin, stdout, interrupts, onLoss, onContinue, onStop }: GuardOptions): () => void {
  const hangup = () => onLoss({ reason: 'SIGHUP' });
  const interrupt = () => onLoss({ reason: 'SIGINT' });
  const terminate = () => onLoss({ reason: 'SIGTERM' });
  const broken = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EIO' || error.code === 'EPIPE' || error.code === 'ENXIO') hangup();
  };
  process.on('SIGHUP', hangup);
  process.on('SIGCONT', onContinue);
  process.on('SIGTSTP', onStop);
  if (interrupts) {
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', terminate);
  }
  stdout.on('error', broken);
  stdin.on('error', broken);
  stdin.on('end', hangup);
  return () => {
    process.off('SIGHUP', hangup);
    process.off('SIGCONT', onContinue);
    process.off('SIGTSTP', onStop);
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', terminate);
    stdin.off('end', hangup);
    // Late write errors of a dead terminal must not become uncaught exceptions: these two stay.
  };
}

/**
 * Ends a process whose terminal is gone, should its owner not do it: `exitCode` after `graceMs`. At its very end Node
 * puts the mode of every terminal on 0, 1 and 2 back and aborts when that fails with anything but EPERM, as it does
 * with EIO here (seen with Node 20.20); descriptors that are closed are left alone, so they are closed last of all.
 */
export function exitSoon(exitCode: number, graceMs = 1500): void {
  process.once('exit', () => {
    for (const descriptor of [0, 1, 2]) {
      try {
        closeSync(descriptor);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBADF') process.exitCode = exitCode;
      }
    }
  });
  setTimeout(() => process.exit(exitCode), graceMs).unref();
}

/**
 * Stops the whole foreground job as the shell's Ctrl+Z would, until SIGCONT. The job, not only this process: under npx
 * a wrapper waits for us, and a shell hangs when only a grandchild stops. `suspend` hands the terminal back first.
 */
export async function stopJob(suspend: () => Promise<{ resume: () => Promise<void> }>): Promise<void> {
  if (process.platform === 'win32') return;
  const suspension = await suspend();
  const continued = new Promise<void>((resolve) => process.once('SIGCONT', () => resolve()));
  // With a handler of our own the signal would not stop us.
  const handlers = process.listeners('SIGTSTP');
  process.removeAllListeners('SIGTSTP');
  process.kill(0, 'SIGTSTP');
  await continued;
  for (const handler of handlers) process.on('SIGTSTP', handler);
  await suspension.resume();
}
