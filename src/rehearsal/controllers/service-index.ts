/** Services by namespace, kept from the watch, so that a pod's change is matched without listing them again. */
import type { KubeObject, ObjectStore } from '../contract.ts';
import { selects } from './endpoints.ts';

export class ServiceIndex {
  readonly #byNamespace = new Map<string, Map<string, KubeObject>>();
  readonly #stop: () => void;

  constructor(store: ObjectStore) {
    for (const service of store.list('services')) this.#put(service);
    this.#stop = store.watch(({ resource, type, object }) => {
      if (resource !== 'services') return;
      if (type === 'DELETED') this.#byNamespace.get(object.metadata.namespace as string)?.delete(object.metadata.name);
      else this.#put(object);
    });
  }

  in(namespace: string): KubeObject[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }

  selecting(pod: KubeObject): KubeObject[] {
    return this.in(pod.metadata.namespace as string).filter((service) => selects(service.spec?.selector, pod));
  }

  close(): void {
    this.#stop();
  }

  #put(service: KubeObject): void {
    const namespace = service.metadata.namespace as string;
    const services = this.#byNamespace.get(namespace) ?? new Map<string, KubeObject>();
    services.set(service.metadata.name, service);
    this.#byNamespace.set(namespace, services);
  }
}
