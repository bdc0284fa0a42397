/** From a port of a Service to the port of a pod: `targetPort` is a number, or the name of a port of the pod's containers. */
import type { Json } from './types.ts';

/** A pod, the template of one, or a Service. */
type WithSpec = Readonly<Record<string, Json>>;

interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
}

/** What the containers of a pod say they listen on. */
export const portsOf = (pod: WithSpec): ContainerPort[] =>
  ((pod.spec?.containers ?? []) as { ports?: ContainerPort[] }[]).flatMap((container) => container.ports ?? []);

/** Where a port of a Service leads to; undefined when there is no such port, or it says nothing: then to the same number. */
export const targetPortOf = (service: WithSpec | undefined, port: number): number | string | undefined =>
  ((service?.spec?.ports ?? []) as { port: number; targetPort?: number | string }[]).find((one) => one.port === port)
    ?.targetPort;

/** The number of a target in a pod; undefined when none of its containers has a port of that name. */
export const portInPod = (pod: WithSpec, target: number | string): number | undefined =>
  typeof target === 'number' ? target : portsOf(pod).find((one) => one.name === target)?.containerPort;
