/**
 * The way out of a pod whose program can't be told where to connect from: a listener that takes each connection, resolves
 * the Service as kube-proxy would and goes on from the pod's own address, so that PostgreSQL sees the pod.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { RouteTable } from './routes.ts';

export interface EgressRequest {
  namespace: string;
  host: string;
  port: number;
  /** The pod's address. */
  source: string;
  /** Bind the outgoing socket to `source` (where pods have addresses of their own). */
  bind: boolean;
  listen: string;
  listenPort: number;
}

export async function openEgress(
  request: EgressRequest,
  routes: RouteTable,
): Promise<{ host: string; port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (inner) => {
    const target = routes.resolve(request.host, request.port, request.namespace);
    if (target.kind !== 'endpoint') {
      inner.resetAndDestroy();
      return;
    }
    const outer = connect({
      host: target.host,
      port: target.port,
      noDelay: true,
      allowHalfOpen: true,
      ...(request.bind ? { localAddress: request.source } : {}),
    });
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    inner.on('error', () => outer.destroy());
    outer.on('error', () => inner.resetAndDestroy());
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
    inner.pipe(outer).pipe(inner);
  });
  const port = await listen(server, request.listenPort, request.listen);
  return {
    host: request.listen,
    port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Listens on the wanted port, or on any when it is taken. */
function listen(server: Server, port: number, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' && port !== 0) resolve(listen(server, 0, address));
      else reject(error);
    });
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound ? bound.port : port);
    });
  });
}
