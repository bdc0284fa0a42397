/** The channels of an exec: the same four over WebSocket frames and over SPDY streams. */
import type { Json } from '../../contract.ts';
import { failure } from '../errors.ts';
import type { StreamOptions } from './exec.ts';
import type { SpdySession, SpdyStream } from './spdy.ts';
import type { Accepted } from './websocket.ts';

/** Where a command's input comes from and its output goes. */
export interface Channels {
  onInput(data: (chunk: Buffer) => void, end: () => void): void;
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** The closing Status, then the end of the connection. */
  finish(status: Json): void;
  onClose(closed: () => void): void;
  /** Milliseconds the client needs before it can take output. */
  settle: number;
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE = 255;

/**
 * Frames `[channel][bytes]`. 255 is the client's alone, to close a channel: a client library breaks when a server sends it. kubectl 1.32
 * loses output of the first milliseconds ("Unknown stream id 1"), hence `settle`.
 */
export function webSocketChannels({ ws, protocol }: Accepted, options: StreamOptions): Channels {
  const frame = (channel: number, chunk: Buffer): void => {
    if (ws.readyState === ws.OPEN) ws.send(Buffer.concat([Buffer.from([channel]), chunk]));
  };
  // The real server opens with an empty frame on its lowest output channel.
  if (options.stdout) frame(STDOUT, Buffer.alloc(0));
  else if (options.stderr) frame(STDERR, Buffer.alloc(0));
  else frame(STATUS, Buffer.alloc(0));
  const structured = !['v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'].includes(protocol);
  return {
    settle: 35,
    onInput(data, end) {
      ws.on('message', (message: Buffer) => {
        if (message[0] === STDIN) data(message.subarray(1));
        else if (message[0] === CLOSE && message[1] === STDIN) end();
      });
    },
    stdout: (chunk) => frame(STDOUT, chunk),
    stderr: (chunk) => frame(STDERR, chunk),
    finish(status) {
      // Before v4 the channel carried bare text, and nothing on success.
      const text = structured ? JSON.stringify(status) : status.status === 'Success' ? '' : status.message;
      if (text !== '') frame(STATUS, Buffer.from(text));
      ws.close(1000);
    },
    onClose: (closed) => ws.on('close', closed),
  };
}

/** SPDY streams by their `streamtype` header. Resolves when the client has opened those it asked for. */
export async function spdyChannels(session: SpdySession, options: StreamOptions): Promise<Channels> {
  const wanted = ['error', ...(['stdin', 'stdout', 'stderr'] as const).filter((one) => options[one])];
  const streams = new Map<string, SpdyStream>();
  const early: Buffer[] = [];
  let ended = false;
  let input: { data: (chunk: Buffer) => void; end: () => void } | undefined;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      session.close();
      reject(failure(504, 'Timeout', 'timed out waiting for client to create streams'));
    }, 30_000);
    timer.unref();
    session.on('close', () => clearTimeout(timer));
    session.on('stream', (stream) => {
      const type = stream.headers.streamtype ?? '';
      streams.set(type, stream);
      if (type === 'stdin') {
        stream.on('data', (chunk) => (input === undefined ? early.push(chunk) : input.data(chunk)));
        stream.on('end', () => {
          ended = true;
          input?.end();
        });
      }
      if (wanted.every((one) => streams.has(one))) {
        clearTimeout(timer);
        resolve();
      }
    });
  });
  return {
    settle: 0,
    onInput(data, end) {
      input = { data, end };
      for (const chunk of early) data(chunk);
      if (ended) end();
    },
    stdout: (chunk) => void streams.get('stdout')?.write(chunk),
    stderr: (chunk) => void streams.get('stderr')?.write(chunk),
    finish(status) {
      streams.get('error')?.write(Buffer.from(JSON.stringify(status)));
      for (const stream of streams.values()) stream.end();
      // The client closes the session once it has read the status; this is for one that never does.
      setTimeout(() => session.close(), 1000).unref();
    },
    onClose: (closed) => session.on('close', closed),
  };
}
