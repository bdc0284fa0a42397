/** A socket that finds its way as inside a pod: cluster DNS, kube-proxy, and the pod's own source address. */
import { Socket } from 'node:net';
import type { RouteTable } from './routes.ts';

export interface SocketOrigin {
  namespace: string;
  ip: string;
  bind: boolean;
}

/** For `pg`'s `stream` option, which calls `connect(port, host)` on the socket it is given. */
export function podSocket(routes: RouteTable, origin: SocketOrigin): Socket {
  const socket = new Socket();
  const plain = socket.connect.bind(socket) as (options: {
    host: string;
    port: number;
    localAddress?: string;
    noDelay: boolean;
  }) => Socket;
  socket.connect = ((port: number, host: string) => {
    const target = routes.resolve(host, port, origin.namespace);
    if (target.kind === 'unknown' && !/^\d+(\.\d+){3}$/.test(host))
      return failLater(socket, `getaddrinfo ENOTFOUND ${host}`, 'ENOTFOUND');
    if (target.kind === 'refused') return failLater(socket, `connect ECONNREFUSED ${host}:${port}`, 'ECONNREFUSED');
    const to = target.kind === 'endpoint' ? { host: target.host, port: target.port } : { host, port };
    return plain({ ...to, noDelay: true, ...(origin.bind ? { localAddress: origin.ip } : {}) });
  }) as Socket['connect'];
  return socket;
}

function failLater(socket: Socket, message: string, code: string): Socket {
  setImmediate(() => socket.destroy(Object.assign(new Error(message), { code })));
  return socket;
}
