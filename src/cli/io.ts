/** The process, handed in: a test gives streams and an environment of its own. */
export interface Io {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: NodeJS.ProcessEnv;
}

export const processIo = (): Io => ({
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
});

/** Can a question be asked and a screen be drawn? */
export const hasTerminal = (io: Io): boolean => Boolean(io.stdin.isTTY && io.stdout.isTTY) && io.env.TERM !== 'dumb';

/** Colour on this stream: the terminal's, unless NO_COLOR (https://no-color.org) or `--no-color` says no. */
export const hasColour = (stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean =>
  Boolean(stream.isTTY) && !env.NO_COLOR && env.FORCE_COLOR !== '0' && env.TERM !== 'dumb';

/** Writes all of it, however slow the reader is; a reader that went away (EPIPE) is no error of ours. */
export function write(stream: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve) => {
    stream.write(text, () => resolve());
  });
}
