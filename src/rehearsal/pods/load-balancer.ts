/** Services of type LoadBalancer: a real listener on an address of the cluster, handed on to a ready pod. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { createWorkQueue } from '../controllers/queue.ts';
import type { AddressPlan } from './addresses.ts';
import type { RouteTable } from './routes.ts';

export function startLoadBalancers(
  store: ObjectStore,
  routes: RouteTable,
  addresses: AddressPlan,
  report: (key: string, error: unknown) => void,
): () => void {
  const balancers = new Map<string, { address: string; servers: Map<number, Server> }>();
  const sockets = new Set<Socket>();
  const queue = createWorkQueue((key) => sync(key), report);
  const stop = store.watch(({ resource, object }) => {
    if (resource === 'services') queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
  });
  for (const service of store.list('services')) queue.add(`${service.metadata.namespace}/${service.metadata.name}`);

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const service = store.get('services', namespace, name);
    const known = balancers.get(key);
    if (service?.spec?.type !== 'LoadBalancer') {
      for (const server of known?.servers.values() ?? []) server.close();
      balancers.delete(key);
      return;
    }
    const balancer = known ?? { address: addresses.loadBalancer(), servers: new Map<number, Server>() };
    balancers.set(key, balancer);
    for (const port of service.spec.ports ?? ([] as Json[])) {
      if (balancer.servers.has(port.port)) continue;
      const server = createServer((client) => forward(client, namespace, name, port.port));
      server.on('error', (error) => report(key, error));
      server.listen(port.port, balancer.address);
      balancer.servers.set(port.port, server);
    }
    publish(service, balancer.address);
  }

  function publish(service: KubeObject, ip: string): void {
    if (service.status?.loadBalancer?.ingress?.[0]?.ip === ip) return;
    store.updateStatus(
      'services',
      { ...service, status: { ...service.status, loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } } },
      { manager: 'kube-controller-manager' },
    );
  }

  function forward(client: Socket, namespace: string, name: string, port: number): void {
    const target = routes.resolve(name, port, namespace);
    if (target.kind !== 'endpoint') {
      client.resetAndDestroy();
      return;
    }
    const pod = connect({ host: target.host, port: target.port });
    for (const socket of [client, pod]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('error', () => pod.destroy());
    pod.on('error', () => client.resetAndDestroy());
    client.pipe(pod).pipe(client);
  }

  return () => {
    stop();
    queue.close();
    for (const { servers } of balancers.values()) for (const server of servers.values()) server.close();
    for (const socket of sockets) socket.destroy();
  };
}
