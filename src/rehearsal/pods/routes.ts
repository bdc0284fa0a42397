/**
 * How a name becomes a pod: what cluster DNS and kube-proxy do together. Each Service has its ready endpoints; a
 * connection picks one of them at random and stays with it. Names are taken in every form that works inside a pod.
 */
export interface Route {
  namespace: string;
  name: string;
  clusterIP?: string;
  /** Service port → ready endpoints. A headless Service has its target ports here. */
  ports: Record<number, { host: string; port: number }[]>;
  /** True when the pods behind it run PgBouncer. */
  pooler: boolean;
}

export type Resolution =
  | { kind: 'endpoint'; host: string; port: number; pooler: boolean }
  /** Known service without a ready endpoint, or a port it does not have: kube-proxy rejects the connection. */
  | { kind: 'refused' }
  /** No such name in the cluster. */
  | { kind: 'unknown' };

export class RouteTable {
  readonly #routes = new Map<string, Route>();
  readonly #pods = new Map<string, Map<number, number>>();

  set(route: Route): void {
    this.#routes.set(`${route.namespace}/${route.name}`, route);
  }

  delete(namespace: string, name: string): void {
    this.#routes.delete(`${namespace}/${name}`);
  }

  /** Ports of a pod that are published under another number (where all pods share one address). */
  setPod(ip: string, ports: Map<number, number>): void {
    this.#pods.set(ip, ports);
  }

  all(): Route[] {
    return [...this.#routes.values()];
  }

  /** The Service a host name means, from inside `namespace`. */
  service(host: string, namespace: string): Route | undefined {
    const name = host.toLowerCase().replace(/\.$/, '');
    const parts = name.split('.');
    const byAddress = [...this.#routes.values()].find((route) => route.clusterIP === name);
    if (byAddress) return byAddress;
    if (parts.length === 1) return this.#routes.get(`${namespace}/${name}`);
    const rest = parts.slice(2).join('.');
    if (rest === '' || rest === 'svc' || rest === 'svc.cluster' || rest === 'svc.cluster.local')
      return this.#routes.get(`${parts[1]}/${parts[0]}`);
    return undefined;
  }

  resolve(host: string, port: number, namespace: string): Resolution {
    const route = this.service(host, namespace);
    if (!route) return { kind: 'unknown' };
    const endpoints = route.ports[port];
    if (!endpoints || endpoints.length === 0) return { kind: 'refused' };
    const chosen = endpoints[Math.floor(Math.random() * endpoints.length)] as { host: string; port: number };
    return { kind: 'endpoint', ...chosen, pooler: route.pooler };
  }
}
