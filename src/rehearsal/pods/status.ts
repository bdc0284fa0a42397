/** The status of a pod as the kubelet reports it (recordings 02, 03 and 06). Pure. */
import { createHash } from 'node:crypto';
import type { Json, KubeObject } from '../contract.ts';
import { now } from '../controllers/events.ts';

export interface ContainerView {
  spec: Json;
  state: Json;
  lastState: Json;
  ready: boolean;
  started: boolean;
  restartCount: number;
  containerID?: string;
}

export interface PodView {
  initialized: boolean;
  /** The pod's sandbox exists: it has an address. */
  sandbox: boolean;
  ip: string;
  hostIP: string;
  startTime: string;
  containers: readonly ContainerView[];
  initContainers: readonly ContainerView[];
  /** Set when every container has ended for good. */
  ended?: 'Succeeded' | 'Failed';
}

const CONTAINER_ORDER = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'];

export function podStatus(pod: KubeObject, view: PodView): Json {
  const before: Json[] = pod.status?.conditions ?? [];
  const generation = pod.metadata.generation ?? 1;
  const condition = (type: string, value: boolean, reason?: string, message?: string): Json => {
    const status = value ? 'True' : 'False';
    const old = before.find((item) => item.type === type);
    return {
      type,
      observedGeneration: generation,
      status,
      lastProbeTime: null,
      lastTransitionTime: old?.status === status ? old.lastTransitionTime : now(),
      ...(reason ? { reason } : {}),
      ...(message ? { message } : {}),
    };
  };
  const unready = view.containers.filter((container) => !container.ready).map((container) => container.spec.name);
  const incomplete = view.initContainers
    .filter((container) => container.state.terminated?.exitCode !== 0)
    .map((container) => container.spec.name);
  const completed = view.ended === 'Succeeded';
  const readiness: [boolean, string?, string?] = completed
    ? [false, 'PodCompleted']
    : view.ended === 'Failed'
      ? [false, 'PodFailed']
      : unready.length > 0
        ? [false, 'ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`]
        : [true];
  const conditions = [
    condition('PodReadyToStartContainers', view.sandbox && !view.ended),
    view.initialized
      ? condition('Initialized', true, completed ? 'PodCompleted' : undefined)
      : condition(
          'Initialized',
          false,
          'ContainersNotInitialized',
          `containers with incomplete status: [${incomplete.join(' ')}]`,
        ),
    condition('Ready', ...readiness),
    condition('ContainersReady', ...readiness),
    condition('PodScheduled', true),
  ].sort((a, b) => CONTAINER_ORDER.indexOf(a.type) - CONTAINER_ORDER.indexOf(b.type));

  const anyStarted = view.containers.some(
    (container) => container.state.running || container.state.terminated || container.restartCount > 0,
  );
  const status: Json = {
    observedGeneration: generation,
    phase: view.ended ?? (anyStarted ? 'Running' : 'Pending'),
    conditions,
    hostIP: view.hostIP,
    hostIPs: [{ ip: view.hostIP }],
    ...(view.sandbox ? { podIP: view.ip, podIPs: [{ ip: view.ip }] } : {}),
    startTime: view.startTime,
    ...(view.initContainers.length > 0 ? { initContainerStatuses: view.initContainers.map(containerStatus) } : {}),
    containerStatuses: view.containers.map(containerStatus),
    qosClass: qosClass(pod),
  };
  return status;
}

function containerStatus(view: ContainerView): Json {
  return {
    name: view.spec.name,
    state: view.state,
    lastState: view.lastState,
    ready: view.ready,
    restartCount: view.restartCount,
    image: view.spec.image,
    imageID: view.containerID
      ? `sha256:${createHash('sha256')
          .update(view.spec.image ?? '')
          .digest('hex')}`
      : '',
    ...(view.containerID ? { containerID: view.containerID } : {}),
    started: view.started,
    resources: view.spec.resources ?? {},
  };
}

function qosClass(pod: KubeObject): string {
  const containers: Json[] = pod.spec?.containers ?? [];
  const bare = (item: Json) =>
    Object.keys(item.resources?.requests ?? {}).length === 0 && Object.keys(item.resources?.limits ?? {}).length === 0;
  if (containers.every(bare)) return 'BestEffort';
  const guaranteed = containers.every((item) =>
    ['cpu', 'memory'].every(
      (name) =>
        item.resources?.limits?.[name] !== undefined &&
        (item.resources?.requests?.[name] ?? item.resources.limits[name]) === item.resources.limits[name],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
