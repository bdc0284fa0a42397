/** WebSocket upgrades, on the `ws` package. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { failure } from '../errors.ts';

export interface Accepted {
  ws: WebSocket;
  protocol: string;
}

/** Completes the handshake with the first of `supported` the client offers. Throws 400 when it offers none of them. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  supported: readonly string[],
): Promise<Accepted> {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '')
    .split(/,\s*/)
    .filter((one) => one !== '');
  const chosen = supported.find((one) => offered.includes(one));
  if (chosen === undefined) {
    throw failure(
      400,
      'BadRequest',
      `unable to upgrade: requested protocol(s) are not supported: [${offered.join(' ')}]; supports [${supported.join(' ')}]`,
    );
  }
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  // kubectl's `SPDY/3.1+portforward.k8s.io` has a slash, which `ws` refuses as a subprotocol: it is negotiated by hand.
  delete request.headers['sec-websocket-protocol'];
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${chosen}`));
  return new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (ws) => {
      // A client that dies is no news: 'close' follows.
      ws.on('error', () => ws.terminate());
      resolve({ ws, protocol: chosen });
    });
  });
}

/** The bytes of binary messages as one stream, for SPDY inside a WebSocket. */
export function tunnel(ws: WebSocket): Duplex {
  const stream = createWebSocketStream(ws);
  stream.on('error', () => ws.terminate());
  return stream;
}
