/**
 * A WebSocket client for subprotocols like `SPDY/3.1+portforward.k8s.io`: the slash isn't a token character, so WebSocket libraries
 * refuse to ask for it, but kubectl does.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:https';
import { type Exchange, type Frame, frameBytes } from './recording.ts';
import type { Session } from './scenarios-streams.ts';
import type { Endpoint } from './wire.ts';

/** Sends the recorded client frames at once and collects the server's until there are enough. */
export function tunnelled(
  endpoint: Endpoint,
  exchange: Exchange,
  until: (frames: Frame[]) => boolean,
): Promise<Session> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${endpoint.url}${exchange.request.url}`, {
      ca: endpoint.ca,
      headers: {
        ...exchange.request.headers,
        authorization: `Bearer ${endpoint.token}`,
        connection: 'Upgrade',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
    });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => resolve({ status: response.statusCode ?? 0, protocol: '', frames: [] }));
    outgoing.on('upgrade', (response, socket) => {
      const frames: Frame[] = [];
      let buffer: Buffer = Buffer.alloc(0);
      const finish = (): void => {
        socket.destroy();
        resolve({ status: 101, protocol: String(response.headers['sec-websocket-protocol']), frames });
      };
      socket.on('data', (chunk: Buffer) => {
        buffer = Buffer.concat([buffer, chunk]);
        for (let next = unframe(buffer); next !== undefined; next = unframe(buffer)) {
          buffer = next.rest;
          frames.push({ dir: 'server', opcode: 2, data: { base64: next.payload.toString('base64') } });
        }
        if (until(frames)) finish();
      });
      socket.on('close', finish);
      for (const frame of exchange.frames) {
        if (frame.dir === 'client' && frame.opcode === 2) socket.write(masked(frameBytes(frame)));
      }
    });
    outgoing.end();
  });
}

/** A binary frame from the client, masked with zeros. */
function masked(payload: Buffer): Buffer {
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0xfe, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([Buffer.from([0x82]), length, Buffer.alloc(4), payload]);
}

function unframe(buffer: Buffer): { payload: Buffer; rest: Buffer } | undefined {
  if (buffer.length < 2) return undefined;
  let length = (buffer[1] as number) & 0x7f;
  let at = 2;
  if (length === 126) {
    if (buffer.length < 4) return undefined;
    length = buffer.readUInt16BE(2);
    at = 4;
  }
  if (buffer.length < at + length) return undefined;
  return { payload: buffer.subarray(at, at + length), rest: buffer.subarray(at + length) };
}
