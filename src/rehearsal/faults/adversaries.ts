/**
 * Others who work on the cluster while a run goes on: a reconciler that reverts, an autoscaler, a second operator, a
 * release, a drained node, a crashed process. Each is one call of `POST /rehearsal/v1/faults/KIND`.
 */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { canonical } from '../controllers/hash.ts';
import { statusError } from '../pods/errors.ts';
import type { Kubelet } from '../pods/kubelet.ts';
import { SERVICE_FAULTS, type ServiceFault } from './kinds.ts';

const DEPLOYMENTS = 'deployments.apps';
const REVERT_AFTER_SECONDS = 5;

export interface Adversaries {
  /** Handles one request; throws an `ApiStatusError` for what it doesn't understand. */
  handle(kind: string, body: Json): Json;
  close(): void;
}

export interface AdversaryOptions {
  store: ObjectStore;
  kubelet: Kubelet;
  namespace: string;
  /** The faults of the services; a change bites the pods started after it. */
  serviceFaults: Map<string, ServiceFault>;
}

export function createAdversaries({ store, kubelet, namespace, serviceFaults }: AdversaryOptions): Adversaries {
  const stops = new Set<() => void>();
  const bad = (message: string) => statusError(400, 'BadRequest', message);
  const deployment = (name: unknown): KubeObject => {
    const found = typeof name === 'string' ? store.get(DEPLOYMENTS, namespace, name) : undefined;
    if (!found) throw statusError(404, 'NotFound', `deployments.apps ${JSON.stringify(name ?? '')} not found`);
    return found;
  };
  const write = (object: KubeObject, manager: string) =>
    void store.update(
      DEPLOYMENTS,
      { ...object, metadata: { ...object.metadata, resourceVersion: undefined } },
      { manager },
    );

  const kinds: Record<string, (body: Json) => Json> = {
    /** {deployment, afterSeconds?, manager?}: keeps the template as it is now, like Argo CD with self-heal. */
    revert(body) {
      const wanted = structuredClone(deployment(body.deployment).spec.template);
      const timers = new Set<NodeJS.Timeout>();
      const stop = store.watch(({ resource, type, object }) => {
        if (
          resource !== DEPLOYMENTS ||
          type !== 'MODIFIED' ||
          object.metadata.name !== body.deployment ||
          object.metadata.namespace !== namespace
        )
          return;
        if (canonical(object.spec.template) === canonical(wanted) || timers.size > 0) return;
        const timer = setTimeout(
          () => {
            timers.delete(timer);
            const current = store.get(DEPLOYMENTS, namespace, body.deployment);
            if (current)
              write(
                { ...current, spec: { ...current.spec, template: structuredClone(wanted) } },
                body.manager ?? 'argocd-controller',
              );
          },
          (body.afterSeconds ?? REVERT_AFTER_SECONDS) * 1000,
        );
        timers.add(timer);
      });
      stops.add(() => {
        stop();
        for (const timer of timers) clearTimeout(timer);
      });
      return { reverting: body.deployment };
    },
    /** {deployment, replicas, manager?}: what an autoscaler does. */
    scale(body) {
      const found = deployment(body.deployment);
      if (!Number.isInteger(body.replicas) || body.replicas < 0) throw bad('replicas must be a whole number');
      write(
        { ...found, spec: { ...found.spec, replicas: body.replicas } },
        body.manager ?? 'horizontal-pod-autoscaler',
      );
      return { scaled: body.deployment, replicas: body.replicas };
    },
    /** {deployment, env: {NAME: VALUE}, image?, manager?}: a colleague's edit, or a release in the middle of the run. */
    edit(body) {
      const found = deployment(body.deployment);
      const container = found.spec.template.spec.containers[0];
      if (body.image) container.image = body.image;
      container.env ??= [];
      for (const [name, value] of Object.entries(body.env ?? {})) {
        const entry = { name, value };
        const at = container.env.findIndex((item: Json) => item.name === name);
        if (at < 0) container.env.push(entry);
        else container.env[at] = entry;
      }
      write(found, body.manager ?? 'kubectl-edit');
      return { edited: body.deployment };
    },
    /** {deployment}: deleted and made again: the same name, another uid. */
    recreate(body) {
      const { apiVersion, kind, metadata, spec } = deployment(body.deployment);
      store.delete(DEPLOYMENTS, namespace, body.deployment);
      const created = store.create(
        DEPLOYMENTS,
        { apiVersion, kind, metadata: { name: metadata.name, namespace, labels: metadata.labels }, spec },
        { manager: 'helm' },
      );
      return { recreated: body.deployment, uid: created.metadata.uid };
    },
    /** {node}: closed to new pods; its pods are deleted, bare ones excepted, as `kubectl drain` does. */
    drain(body) {
      const node = store.get('nodes', undefined, body.node);
      if (!node) throw statusError(404, 'NotFound', `nodes "${body.node}" not found`);
      store.update('nodes', { ...node, spec: { ...node.spec, unschedulable: true } }, { manager: 'kubectl-drain' });
      const moved = store
        .list('pods')
        .filter(
          (pod) =>
            pod.spec?.nodeName === body.node &&
            pod.metadata.ownerReferences?.some((owner) => owner.kind !== 'DaemonSet'),
        );
      for (const pod of moved)
        store.delete('pods', pod.metadata.namespace, pod.metadata.name, { uid: pod.metadata.uid });
      return { drained: body.node, pods: moved.length };
    },
    uncordon(body) {
      const node = store.get('nodes', undefined, body.node);
      if (!node) throw statusError(404, 'NotFound', `nodes "${body.node}" not found`);
      store.update('nodes', { ...node, spec: { ...node.spec, unschedulable: false } }, { manager: 'kubectl-uncordon' });
      return { uncordoned: body.node };
    },
    /** {pod} or {app}, {container?}: SIGKILL to the process; the restart policy does the rest. */
    crash(body) {
      const agents = kubelet
        .agents()
        .filter(
          (agent) =>
            agent.namespace === namespace &&
            (body.pod
              ? agent.name === body.pod
              : body.app !== undefined && agent.pod.metadata.labels?.app === body.app),
        );
      if (agents.length === 0) throw statusError(404, 'NotFound', 'no such pod');
      for (const agent of agents) agent.crash(body.container);
      return { crashed: agents.map((agent) => agent.name) };
    },
    /** {service, fault}: a service's fault from now on; `fault: null` heals it. */
    service(body) {
      if (body.fault === null) serviceFaults.delete(body.service);
      else if (typeof body.service === 'string' && body.fault in SERVICE_FAULTS)
        serviceFaults.set(body.service, body.fault);
      else throw bad(`the faults are ${Object.keys(SERVICE_FAULTS).join(', ')}`);
      return { service: body.service, fault: body.fault };
    },
    /** Ends every reverter. */
    clear() {
      for (const stop of stops) stop();
      const ended = stops.size;
      stops.clear();
      return { ended };
    },
  };

  return {
    handle(kind, body) {
      const act = kinds[kind];
      if (!act) throw bad(`there is no fault "${kind}"; the faults are ${Object.keys(kinds).join(', ')}`);
      return act(body ?? {});
    },
    close() {
      for (const stop of stops) stop();
      stops.clear();
    },
  };
}
