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

/** Reads what the templates of `objects` refer to. */
export async function readSources(
  kube: Kube,
  namespace: string,
  objects: readonly KubeObject[],
  links: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<Result<ReadSources>> {
  const reader = new SourceReader(kube, namespace, signal);
  const read = await reader.read(objects);
  return read.ok ? ok(reader.sources(links)) : read;
}

/** Reads each object once, however many workloads refer to it, and as they become known. */
export class SourceReader {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #call: { readonly signal?: AbortSignal };
  readonly #found = new Map<string, KubeObject>();
  readonly #asked = new Map<string, Promise<Result<void>>>();
  readonly #decoded = new Map<string, Readonly<Record<string, string>>>();
  readonly #unreadable: string[] = [];
  readonly #turns: (() => void)[] = [];
  #busy = 0;

  constructor(kube: Kube, namespace: string, signal?: AbortSignal) {
    this.#kube = kube;
    this.#namespace = namespace;
    this.#call = signal ? { signal } : {};
  }

  /** Resolves when everything that these templates refer to was read; a missing or refused one is no error. */
  async read(objects: readonly KubeObject[]): Promise<Result<void>> {
    const wanted = new Map<string, Promise<Result<void>>>();
    for (const object of objects) {
      for (const one of referencesOf(object)) {
        const key = `${one.kind}/${one.name}`;
        const asked = this.#asked.get(key) ?? this.#get(one, key);
        this.#asked.set(key, asked);
        wanted.set(key, asked);
      }
    }
    for (const result of await Promise.all(wanted.values())) if (!result.ok) return result;
    return ok(undefined);
  }

  async #get(one: Reference, key: string): Promise<Result<void>> {
    if (this.#busy >= PARALLEL) await new Promise<void>((go) => this.#turns.push(go));
    else this.#busy += 1;
    const got = await this.#kube.get(ref(one.kind, this.#namespace, one.name), this.#call);
    const next = this.#turns.shift();
    if (next) next();
    else this.#busy -= 1;
    if (got.ok) this.#found.set(key, got.value);
    else if (got.error.code === 'not-authorised') this.#unreadable.push(`${one.kind.toLowerCase()} ${one.name} (403)`);
    else if (got.error.code !== 'not-found') return got;
    return ok(undefined);
  }

  /** A view of what was read so far, and of what is read later. */
  sources(links: Readonly<Record<string, string>>): ReadSources {
    const data = (key: string) => {
      const object = this.#found.get(key);
      if (object === undefined) return undefined;
      const held = this.#decoded.get(key) ?? decodeData(object);
      this.#decoded.set(key, held);
      return held;
    };
    return {
      unreadable: this.#unreadable,
      serviceLinks: links,
      secret: (name) => data(`Secret/${name}`),
      configMap: (name) => data(`ConfigMap/${name}`),
      object: (kind, name) => this.#found.get(`${kind}/${name}`),
      read: (kind, name) => this.#asked.has(`${kind}/${name}`),
    };
  }
}

/** Keys and texts of a Secret (base64) or ConfigMap. Binary values are left out: no address is in them. */
export function decodeData(object: KubeObject): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries((object.data ?? {}) as Record<string, string>)) {
    out[key] = object.kind === 'Secret' ? Buffer.from(value, 'base64').toString('utf8') : value;
  }
  return out;
}
