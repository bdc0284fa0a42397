/**
 * SPDY/3.1 as Kubernetes uses it: the client opens streams with a few headers, both sides send data, FIN closes one direction. The Go
 * implementation (moby/spdystream) has no flow control, so there is none here.
 */
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { constants, createDeflate, createInflate } from 'node:zlib';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FIN = 1;

export interface SpdyStreamEvents {
  data: [Buffer];
  /** The other side sends no more. */
  end: [];
  /** Reset, or the session is gone. */
  close: [];
}

/** One stream of a session. Headers have lower-case names. */
export class SpdyStream extends EventEmitter<SpdyStreamEvents> {
  readonly id: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #session: SpdySession;
  #finished = false;

  constructor(session: SpdySession, id: number, headers: Record<string, string>) {
    super();
    this.#session = session;
    this.id = id;
    this.headers = headers;
  }

  write(data: Buffer): boolean {
    if (this.#finished) return true;
    return this.#session.sendData(this.id, data, false);
  }

  /** Says that nothing more will be sent on this stream. */
  end(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#session.sendData(this.id, Buffer.alloc(0), true);
  }

  /** The stream ends in both directions at once. */
  reset(): void {
    this.#finished = true;
    this.#session.sendReset(this.id);
    this.emit('close');
  }
}

export interface SpdySessionEvents {
  stream: [SpdyStream];
  close: [];
}

/** The server's side of a session over any byte stream. */
export class SpdySession extends EventEmitter<SpdySessionEvents> {
  readonly #socket: Duplex;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflate = createInflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  readonly #deflate = createDeflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });
  #buffer: Buffer = Buffer.alloc(0);
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(socket: Duplex) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
      // Header blocks are inflated asynchronously; one chain keeps the frames in their order.
      this.#work = this.#work.then(() => this.#frames()).catch(() => this.close());
    });
    socket.on('close', () => this.#gone());
    socket.on('end', () => this.close());
    socket.on('error', () => this.close());
  }

  sendData(id: number, data: Buffer, fin: boolean): boolean {
    if (this.#closed) return true;
    const head = Buffer.alloc(8);
    head.writeUInt32BE(id, 0);
    head.writeUInt32BE((fin ? FIN << 24 : 0) | data.length, 4);
    return this.#socket.write(Buffer.concat([head, data]));
  }

  sendReset(id: number): void {
    const body = Buffer.alloc(8);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(5, 4);
    this.#control(RST_STREAM, 0, body);
    this.#streams.delete(id);
  }

  onDrain(resume: () => void): void {
    this.#socket.once('drain', resume);
  }

  close(): void {
    if (!this.#closed) this.#socket.end();
    this.#gone();
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inflate.close();
    this.#deflate.close();
    for (const stream of this.#streams.values()) stream.emit('close');
    this.#streams.clear();
    this.emit('close');
  }

  async #frames(): Promise<void> {
    while (!this.#closed && this.#buffer.length >= 8) {
      const head = this.#buffer.readUInt32BE(0);
      const flags = this.#buffer[4] as number;
      const length = this.#buffer.readUIntBE(5, 3);
      if (this.#buffer.length < 8 + length) return;
      const body = this.#buffer.subarray(8, 8 + length);
      this.#buffer = this.#buffer.subarray(8 + length);
      if (head >= 0x80000000) await this.#controlFrame(head & 0xffff, flags, body);
      else this.#dataFrame(head, flags, body);
    }
  }

  #dataFrame(id: number, flags: number, body: Buffer): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (body.length > 0) stream.emit('data', Buffer.from(body));
    if (flags & FIN) stream.emit('end');
  }

  async #controlFrame(type: number, flags: number, body: Buffer): Promise<void> {
    if (type === SYN_STREAM) {
      const id = body.readUInt32BE(0) & 0x7fffffff;
      const headers = parseHeaders(await this.#inflated(body.subarray(10)));
      const stream = new SpdyStream(this, id, headers);
      this.#streams.set(id, stream);
      const reply = Buffer.alloc(4);
      reply.writeUInt32BE(id, 0);
      this.#control(SYN_REPLY, 0, Buffer.concat([reply, await this.#deflated(Buffer.alloc(4))]));
      this.emit('stream', stream);
      if (flags & FIN) stream.emit('end');
    } else if (type === RST_STREAM) {
      const stream = this.#streams.get(body.readUInt32BE(0) & 0x7fffffff);
      if (stream === undefined) return;
      this.#streams.delete(stream.id);
      stream.emit('close');
    } else if (type === PING) {
      this.#control(PING, 0, Buffer.from(body));
    } else if (type === GOAWAY) this.close();
  }

  #control(type: number, flags: number, body: Buffer): void {
    if (this.#closed) return;
    const head = Buffer.alloc(8);
    head.writeUInt16BE(0x8003, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt32BE((flags << 24) | body.length, 4);
    this.#socket.write(Buffer.concat([head, body]));
  }

  #inflated(block: Buffer): Promise<Buffer> {
    return through(this.#inflate, block);
  }

  #deflated(block: Buffer): Promise<Buffer> {
    return through(this.#deflate, block);
  }
}

/** What a zlib stream with sync flush makes of one block; the stream's context lives on. */
function through(stream: NodeJS.ReadWriteStream, block: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(error);
    stream.once('error', fail);
    stream.write(block, () => {
      stream.off('error', fail);
      const parts: Buffer[] = [];
      for (let part = stream.read(); part !== null; part = stream.read()) parts.push(part as unknown as Buffer);
      resolve(Buffer.concat(parts));
    });
  });
}

function parseHeaders(block: Buffer): Record<string, string> {
  const headers: Record<string, string> = {};
  let at = 4;
  const text = (): string => {
    const length = block.readUInt32BE(at);
    at += 4 + length;
    return block.toString('utf8', at - length, at);
  };
  const count = block.readUInt32BE(0);
  for (let index = 0; index < count; index += 1) {
    const name = text().toLowerCase();
    headers[name] = text();
  }
  return headers;
}
