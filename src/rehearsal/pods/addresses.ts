/**
 * Addresses of the cluster. On Linux the whole of 127.0.0.0/8 is this machine, so each cluster takes one 127.N.0.0/16 and
 * each pod an address of its own in it: the servers tell pods apart as they do in a real cluster. Elsewhere (macOS)
 * there is 127.0.0.1 only and pods differ by port.
 */
import { createServer, type Server } from 'node:net';

/** Bound for as long as the cluster lives: the sign that its 127.N.0.0/16 is taken. */
const LOCK_PORT = 47_427;
const FIRST_NET = 42;
const LAST_NET = 220;

export interface AddressPlan {
  /** False where every pod shares 127.0.0.1. */
  distinct: boolean;
  node: string;
  /** A fresh pod address; not used again before 60,000 others. */
  pod(): string;
  /** The address on which a pod's outgoing connections to the `index`-th destination are taken over (pods/egress.ts). */
  egress(pod: string, index: number): string;
  /** A fresh address of a load balancer. */
  loadBalancer(): string;
  close(): Promise<void>;
}

export async function planAddresses(platform: NodeJS.Platform = process.platform): Promise<AddressPlan> {
  if (platform !== 'linux') {
    const only = '127.0.0.1';
    return {
      distinct: false,
      node: only,
      pod: () => only,
      egress: () => only,
      loadBalancer: () => only,
      close: async () => {},
    };
  }
  for (let net = FIRST_NET; net <= LAST_NET; net++) {
    const lock = await tryLock(`127.${net}.0.1`);
    if (lock) return addressesOf(net, lock);
  }
  throw new Error(`all of 127.${FIRST_NET}.0.0 to 127.${LAST_NET}.0.0 are taken by other rehearsal clusters`);
}

function addressesOf(net: number, lock: Server): AddressPlan {
  let pods = 0;
  let balancers = 0;
  return {
    distinct: true,
    node: `127.${net}.0.1`,
    pod() {
      // 127.N.1.1 … 127.N.63.250, round and round.
      const n = pods++ % (63 * 250);
      return `127.${net}.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`;
    },
    egress(pod, index) {
      const [, , third, fourth] = pod.split('.').map(Number) as [number, number, number, number];
      return `127.${net}.${third + 64 * (1 + (index % 2))}.${fourth}`;
    },
    loadBalancer: () => `127.${net}.250.${1 + (balancers++ % 250)}`,
    close: () => new Promise((resolve) => lock.close(() => resolve())),
  };
}

function tryLock(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(LOCK_PORT, address, () => {
      server.unref();
      resolve(server);
    });
  });
}

/** A TCP port nobody listens on at this moment. */
export function freePort(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, address, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound ? bound.port : 0));
    });
  });
}
