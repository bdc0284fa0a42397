/** Whose logs an operator wants to read now: of the pods of the services under way, old and new, and of the poolers. */
import { listOf } from '../kube/refs.ts';
import type { Kube, KubeObject } from '../kube/types.ts';
import { ok, type Result } from '../result.ts';
import type { RunState } from '../run/fold.ts';
import { type Fleet, serviceOf } from './fleet.ts';
import type { PoolerPod, PoolerPorts } from './pooler-ports.ts';
import type { SeenPods } from './seen-pods.ts';
import { talkingContainers } from './service-logs.ts';

export interface FollowedContainer {
  readonly pod: string;
  readonly container: string;
  /** Changes with every start of the container: what it says then is another log. */
  readonly run: string;
  /** As it stands before its lines. */
  readonly source: string;
}

/** More streams than this are more than somebody reads. */
const MOST = 16;
const MOST_POOLERS = 4;

interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: { readonly waiting?: object; readonly running?: object; readonly terminated?: object };
  readonly lastState?: { readonly terminated?: object };
}

export interface FollowPorts {
  readonly kube: Pick<Kube, 'list'>;
  readonly fleet: Fleet;
  readonly pooler: Pick<PoolerPorts, 'seenPods'>;
  readonly seen: Pick<SeenPods, 'items'>;
  readonly state: Pick<RunState, 'steps' | 'services' | 'currentStep'>;
  /** The service that the open question is about. */
  readonly asked: string | undefined;
}

/** What is under way now. Errors: those of a LIST of pods, where no watch of them is alive. */
export async function logsToFollow(ports: FollowPorts, signal: AbortSignal): Promise<Result<FollowedContainer[]>> {
  const { kube, fleet, pooler, seen } = ports;
  const watched = await seen.items();
  const listed = watched ? ok({ items: watched }) : await kube.list(listOf('Pod', fleet.namespace), { signal });
  if (!listed.ok) return listed;
  const poolers = await pooler.seenPods();
  const kinds = new Map(fleet.services().map((one) => [one.name, one.kind]));
  return ok(
    followedContainers(
      listed.value.items,
      (pod) => serviceOf(pod, kinds),
      servicesUnderWay(ports.state, ports.asked),
      poolers.ok ? poolers.value : [],
      (service, pod) => talkingContainers(ports, service, pod),
    ),
  );
}

/** The services that are on their way or asked about; between two of them those of the phase that are switched. */
export function servicesUnderWay(
  { steps, services, currentStep }: Pick<RunState, 'steps' | 'services' | 'currentStep'>,
  asked: string | undefined,
): string[] {
  const step = steps.find((one) => one.id === currentStep);
  const names = [asked, step?.service, ...services.filter((one) => one.state === 'switching').map((one) => one.name)];
  const busy = [...new Set(names)].filter((name) => name !== undefined);
  if (busy.length > 0 || step === undefined) return busy;
  return services.filter((one) => one.phase === step.phase && one.state === 'pooled').map((one) => one.name);
}

/** The poolers first, which are few; then the services' pods, the newest first. */
export function followedContainers(
  pods: readonly KubeObject[],
  ownerOf: (pod: KubeObject) => string | undefined,
  services: readonly string[],
  poolers: readonly Pick<PoolerPod, 'name' | 'container'>[],
  talking: (service: string, pod: KubeObject) => readonly string[],
): FollowedContainer[] {
  const found: FollowedContainer[] = [];
  const add = (pod: KubeObject, containers: readonly string[]) => {
    const statuses: readonly ContainerStatus[] = [
      ...(pod.status?.containerStatuses ?? []),
      ...(pod.status?.initContainerStatuses ?? []),
    ];
    const { name, uid } = pod.metadata;
    for (const container of containers) {
      const status = statuses.find((one) => one.name === container);
      // Before its first start there is no log, and asking for it is an error.
      if (!status?.state?.running && !status?.state?.terminated && !status?.lastState?.terminated) continue;
      const source = containers.length > 1 ? `${name}/${container}` : String(name);
      found.push({ pod: name, container, run: `${uid}/${container}/${status.restartCount ?? 0}`, source });
    }
  };
  const byName = new Map(pods.map((pod) => [String(pod.metadata.name), pod]));
  for (const { name, container } of poolers.slice(0, MOST_POOLERS)) {
    const pod = byName.get(name);
    if (pod) add(pod, [container]);
  }
  const born = (pod: KubeObject) => Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
  for (const pod of [...pods].sort((a, b) => born(b) - born(a))) {
    const service = ownerOf(pod);
    if (service !== undefined && services.includes(service)) add(pod, talking(service, pod));
  }
  return found.slice(0, MOST);
}
