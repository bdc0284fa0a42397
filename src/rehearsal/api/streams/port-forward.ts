/** Port-forwards: SPDY streams (kubectl, alone or inside a WebSocket) and plain WebSocket channels (client libraries). */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { SpdySession, SpdyStream } from './spdy.ts';

export type Dial = (port: number) => Promise<Duplex>;

/**
 * Per connection the client opens an error stream and a data stream with the same `requestid`. A failed dial is told on the error
 * stream; the session goes on, as it does on a real node.
 */
export function forwardOverSpdy(session: SpdySession, dial: Dial): void {
  const errors = new Map<string, SpdyStream>();
  session.on('stream', (stream) => {
    const id = stream.headers.requestid ?? '';
    if (stream.headers.streamtype === 'error') {
      errors.set(id, stream);
      return;
    }
    const port = Number(stream.headers.port);
    const error = errors.get(id);
    errors.delete(id);
    // Bytes that arrive before the dial is through wait here.
    const early: Buffer[] = [];
    const keep = (chunk: Buffer): void => void early.push(chunk);
    let halfClosed = false;
    stream.on('data', keep);
    stream.on('end', () => {
      halfClosed = true;
    });
    void dial(port).then(
      (target) => {
        stream.off('data', keep);
        for (const chunk of early) target.write(chunk);
        join(session, stream, error, target);
        if (halfClosed) target.end();
      },
      (reason: Error) => {
        error?.write(Buffer.from(reason.message));
        error?.end();
        stream.end();
      },
    );
  });
}

function join(session: SpdySession, stream: SpdyStream, error: SpdyStream | undefined, target: Duplex): void {
  stream.on('data', (chunk) => target.write(chunk));
  stream.on('end', () => target.end());
  stream.on('close', () => target.destroy());
  target.on('data', (chunk: Buffer) => {
    if (stream.write(chunk)) return;
    target.pause();
    session.onDrain(() => target.resume());
  });
  const finish = (): void => {
    stream.end();
    error?.end();
  };
  target.on('end', finish);
  target.on('close', finish);
  target.on('error', finish);
  session.on('close', () => target.destroy());
}

/**
 * `v4.channel.k8s.io`: two channels per port, data and error; the first frame on each carries the port as two little-endian bytes. There is no half-close: when
 * either side ends, the socket closes.
 */
export function forwardOverWebSocket(ws: WebSocket, ports: readonly number[], dial: Dial): void {
  const frame = (channel: number, chunk: Buffer): void => {
    if (ws.readyState === ws.OPEN) ws.send(Buffer.concat([Buffer.from([channel]), chunk]));
  };
  const targets: (Duplex | undefined)[] = ports.map(() => undefined);
  const early: Buffer[][] = ports.map(() => []);
  let open = ports.length;
  const done = (): void => {
    open -= 1;
    if (open === 0) ws.close(1000);
  };
  ws.on('message', (message: Buffer) => {
    const channel = message[0] ?? 0;
    if (channel % 2 === 1) return;
    const target = targets[channel / 2];
    if (target === undefined) early[channel / 2]?.push(message.subarray(1));
    else target.write(message.subarray(1));
  });
  ws.on('close', () => {
    for (const target of targets) target?.destroy();
  });
  ports.forEach((port, index) => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(port);
    frame(index * 2, bytes);
    frame(index * 2 + 1, bytes);
    void dial(port).then(
      (target) => {
        if (ws.readyState !== ws.OPEN) {
          target.destroy();
          return;
        }
        targets[index] = target;
        for (const chunk of early[index] ?? []) target.write(chunk);
        target.on('data', (chunk: Buffer) => frame(index * 2, chunk));
        target.on('error', () => target.destroy());
        target.on('close', done);
      },
      (reason: Error) => {
        frame(index * 2 + 1, Buffer.from(reason.message));
        done();
      },
    );
  });
}
