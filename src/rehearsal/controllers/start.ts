/** All controllers of the cluster. */
import type { ObjectStore } from '../contract.ts';
import { startDeploymentController } from './deployment.ts';
import { startEndpointsController } from './endpoints.ts';
import { startReplicaSetController } from './replicaset.ts';
import type { ServiceIndex } from './service-index.ts';

export type Report = (key: string, error: unknown) => void;

/** Returns the function that stops them. */
export function startControllers(store: ObjectStore, index: ServiceIndex, report: Report): () => void {
  const stops = [startDeploymentController(store, report), startReplicaSetController(store, report), startEndpointsController(store, index, report)];
  return () => {
    for (const stop of stops) stop();
  };
}
