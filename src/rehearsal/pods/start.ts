/** Puts the machine together on which the pods run. */
import type { ObjectStore } from '../contract.ts';
import { ServiceIndex } from '../controllers/service-index.ts';
import { createLauncher } from '../servers/account.ts';
import type { Servers } from '../servers/find.ts';
import { planAddresses } from './addresses.ts';
import type { Machine } from './container.ts';
import { Kubelet } from './kubelet.ts';
import { startLoadBalancers } from './load-balancer.ts';
import { startRouteBuilder } from './route-builder.ts';
import { RouteTable } from './routes.ts';
import { startScheduler } from './scheduler.ts';
import type { LoadCounts } from './worker-messages.ts';
import { createWorkerPool } from './worker-pool.ts';

export interface MachineOptions {
  store: ObjectStore;
  servers: Servers;
  folder: string;
  expectedPods: number;
  maxConnections: number;
  pace: number;
  faultOf(service: string): string | undefined;
  load(service: string, counts: LoadCounts): void;
  report(key: string, error: unknown): void;
}

export interface RunningMachine {
  kubelet: Kubelet;
  index: ServiceIndex;
  machine: Machine;
  /** Address of the nodes. */
  address: string;
  close(): Promise<void>;
}

export async function startMachine(options: MachineOptions): Promise<RunningMachine> {
  const { store, folder, report } = options;
  const addresses = await planAddresses();
  const workers = await createWorkerPool({
    folder,
    expectedPods: options.expectedPods,
    addresses,
    load: options.load,
    report: (error) => report('worker', error),
  });
  const routes = new RouteTable();
  const index = new ServiceIndex(store);
  const machine: Machine = {
    servers: options.servers,
    launcher: createLauncher(),
    addresses,
    routes,
    workers,
    faultOf: options.faultOf,
    maxConnections: options.maxConnections,
    pace: options.pace,
  };
  const kubelet = new Kubelet({ store, machine, index, folder, report: (error) => report('kubelet', error) });
  const stops = [
    startRouteBuilder({ store, index, routes, workers, boundPort: (pod, port) => kubelet.boundPort(pod, port) }),
    startScheduler(store, report),
    startLoadBalancers(store, routes, addresses, report),
  ];
  return {
    kubelet,
    index,
    machine,
    address: addresses.node,
    async close() {
      for (const stop of stops) stop();
      await kubelet.close();
      index.close();
      await workers.close();
      await addresses.close();
    },
  };
}
