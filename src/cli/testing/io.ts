/** Streams that remember what was written, and an environment of one's own. */
import { PassThrough } from 'node:stream';
import type { Io } from '../io.ts';

export interface TestIo extends Io {
  out(): string;
  err(): string;
}

export function testIo(options: { env?: NodeJS.ProcessEnv; tty?: boolean; input?: string } = {}): TestIo {
  const collect = () => {
    const stream = new PassThrough();
    let text = '';
    stream.on('data', (chunk) => {
      text += String(chunk);
    });
    return { stream: Object.assign(stream, { isTTY: options.tty }), text: () => text };
  };
  const out = collect();
  const err = collect();
  const stdin = Object.assign(new PassThrough(), { isTTY: options.tty });
  stdin.end(options.input ?? '');
  return {
    stdin: stdin as unknown as NodeJS.ReadStream,
    stdout: out.stream as unknown as NodeJS.WriteStream,
    stderr: err.stream as unknown as NodeJS.WriteStream,
    env: options.env ?? {},
    out: out.text,
    err: err.text,
  };
}
