/** Reads exactly the Secrets and ConfigMaps a set of pod templates refers to; never lists Secrets. */
import { ok, type Result } from '../result.ts';
import type { EnvironmentSources } from './environment.ts';
import { templateOf } from './fingerprint.ts';
import { ref } from './refs.ts';
import type { Json, Kube, KubeObject } from './types.ts';

export interface ReadSources extends EnvironmentSources {
  /** Objects that exist but may not be read, `secret identity-db (403)`. */
  readonly unreadable: readonly string[];
  /** The raw object, for copies with one key changed. */
  object(kind: 'Secret' | 'ConfigMap', name: string): KubeObject | undefined;
  /** The cluster was asked for it, and answered: what is not an `object` then is not there, or in `unreadable`. */
  read(kind: 'Secret' | 'ConfigMap', name: string): boolean;
}

const PARALLEL = 8;

export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
}

/** The objects a workload's template refers to, as far as an address may be in them. */
export function referencesOf(object: KubeObject): Reference[] {
  return referencedObjects(templateOf(object)).filter((one) => !isBoilerplate(one.name));
}

function referencedObjects(template: Json): Reference[] {
  const names = new Map<string, Reference>();
  const add = (kind: 'Secret' | 'ConfigMap', name: string | undefined) => {
    if (name) names.set(`${kind}/${name}`, { kind, name });
  };
  const spec = template?.spec ?? {};
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    for (const source of container.envFrom ?? []) {
      add('Secret', source.secretRef?.name);
      add('ConfigMap', source.configMapRef?.name);
    }
    for (const entry of container.env ?? []) {
      add('Secret', entry.valueFrom?.secretKeyRef?.name);
      add('ConfigMap', entry.valueFrom?.configMapKeyRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    add('Secret', volume.secret?.secretName);
    add('ConfigMap', volume.configMap?.name);
    for (const part of volume.projected?.sources ?? []) {
      add('Secret', part.secret?.name);
      add('ConfigMap', part.configMap?.name);
    }
  }
  return [...names.values()];
}

/** Every cluster puts these into every namespace or pod; no database address lives there. */
const isBoilerplate = (name: string): boolean => name === 'kube-root-ca.crt' || name === 'openshift-service-ca.crt';

export async function readSources(
  kube: Kube,
  namespace: string,
  objects: readonly KubeObject[],
  links: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<Result<ReadSources>> {
  const wanted = new Map<string, Reference>();
  for (const object of objects) {
    for (const one of referencesOf(object)) wanted.set(`${one.kind}/${one.name}`, one);
  }
  const found = new Map<string, KubeObject>();
  const unreadable: string[] = [];
  const queue = [...wanted.values()];
  let failure: Result<never> | undefined;
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      for (let next = queue.shift(); next !== undefined && failure === undefined; next = queue.shift()) {
        const got = await kube.get(ref(next.kind, namespace, next.name), signal ? { signal } : {});
        if (got.ok) found.set(`${next.kind}/${next.name}`, got.value);
        else if (got.error.code === 'not-authorised') unreadable.push(`${next.kind.toLowerCase()} ${next.name} (403)`);
        else if (got.error.code !== 'not-found') failure = got;
      }
    }),
  );
  if (failure) return failure;
  const data = (kind: 'Secret' | 'ConfigMap', name: string) => {
    const object = found.get(`${kind}/${name}`);
    return object ? decodeData(object) : undefined;
  };
  return ok({
    unreadable,
    serviceLinks: links,
    secret: (name) => data('Secret', name),
    configMap: (name) => data('ConfigMap', name),
    object: (kind, name) => found.get(`${kind}/${name}`),
    read: (kind, name) => wanted.has(`${kind}/${name}`),
  });
}

/** Keys and texts of a Secret (base64) or ConfigMap. Binary values are left out: no address is in them. */
export function decodeData(object: KubeObject): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries((object.data ?? {}) as Record<string, string>)) {
    out[key] = object.kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value;
  }
  return out;
}
