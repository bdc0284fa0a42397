/** All controllers of the cluster. */
import type { ObjectStore } from '../contract.ts';
import { startDaemonSetController } from './daemonset.ts';
import { startDeploymentController } from './deployment.ts';
import { startEndpointsController } from './endpoints.ts';
import { startHorizontalPodAutoscalerController } from './horizontalpodautoscaler.ts';
import { startCronJobController, startJobController } from './job.ts';
import { startReplicaSetController } from './replicaset.ts';
import { startResourceQuotaController } from './resourcequota.ts';
import type { ServiceIndex } from './service-index.ts';
import { startStatefulSetController } from './statefulset.ts';

export type Report = (key: string, error: unknown) => void;

/** Returns the function that stops them. */
export function startControllers(store: ObjectStore, index: ServiceIndex, report: Report): () => void {
  const stops = [
    startDeploymentController,
    startReplicaSetController,
    startStatefulSetController,
    startDaemonSetController,
    startJobController,
    startCronJobController,
    startResourceQuotaController,
    startHorizontalPodAutoscalerController,
  ].map((start) => start(store, report));
  stops.push(startEndpointsController(store, index, report));
  return () => {
    for (const stop of stops) stop();
  };
}
