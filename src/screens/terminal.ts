/**
 * The ways a terminal takes itself away: signals, a closed pty, Ctrl+Z. A SIGHUP handler that does not unmount would
 * leave a process that writes into nothing for ever, so a lost terminal ends the screen at once; the journal needs no
 * farewell. Whoever called the screen decides on the exit code; if it does not come to that, 129 after a grace period.
 */
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
}

/** Installs the handlers; the returned function takes all of them away again. */
export function guardTerminal({ stdin, stdout, interrupts, onLoss, onContinue }: GuardOptions): () => void {
  const hangup = () => onLoss({ reason: 'SIGHUP' });
  const interrupt = () => onLoss({ reason: 'SIGINT' });
  const terminate = () => onLoss({ reason: 'SIGTERM' });
  const broken = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EIO' || error.code === 'EPIPE' || error.code === 'ENXIO') hangup();
  };
  process.on('SIGHUP', hangup);
  process.on('SIGCONT', onContinue);
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
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', terminate);
    stdin.off('end', hangup);
    // Late write errors of a dead terminal must not become uncaught exceptions: these two stay.
  };
}

/** Ends a process whose terminal is gone, should its owner not do it: `exitCode` after `graceMs`. */
export function exitSoon(exitCode: number, graceMs = 1500): void {
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
  process.kill(0, 'SIGTSTP');
  await continued;
  await suspension.resume();
}
