/** What the streams need to know of a pod before they start, refused as the real server refuses it. */
import type { Json, KubeObject } from '../../contract.ts';
import { definitionOf } from '../catalogue.ts';
import { badRequest, notFound } from '../errors.ts';
import type { RehearsalStore } from '../store.ts';

export function podOf(store: RehearsalStore, namespace: string, name: string): KubeObject {
  const pod = store.peek('pods', namespace, name);
  if (pod === undefined) throw notFound(definitionOf('pods'), name);
  return pod;
}

/** The container asked for, or the only one. Throws 400 when there is a choice and none was made, or it isn't in the pod. */
export function containerOf(pod: KubeObject, wanted: string | null): string {
  const names = (list: string): string[] => ((pod.spec?.[list] ?? []) as Json[]).map((one) => one.name);
  const containers = names('containers');
  if (wanted === null || wanted === '') {
    if (containers.length === 1) return containers[0] as string;
    const inits = names('initContainers');
    const more = inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : '';
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${containers.join(' ')}]${more}`,
    );
  }
  if (![...containers, ...names('initContainers'), ...names('ephemeralContainers')].includes(wanted)) {
    throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
  }
  return wanted;
}

/** Throws 400 for a pod no node has taken yet. */
export function requireHost(pod: KubeObject): void {
  if (pod.spec?.nodeName === undefined) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
}
