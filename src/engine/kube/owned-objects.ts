/**
 * The Secrets and ConfigMaps that a change brings: one of each kind with the new addresses, and copies of the objects whose
 * files hold one. They bear the run's id, never change, and nobody else's object is edited.
 */
import { type Splice, spliced } from '../spliced.ts';
import { ref } from './refs.ts';
import type { Site } from './site.ts';
import type { Json, KubeObject, Ref } from './types.ts';

export interface NewObject {
  readonly ref: Ref;
  readonly manifest: Json;
}

/** `7f3a…` → eight characters that every object name may hold. */
export const runSuffix = (runId: string): string =>
  runId
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .slice(0, 8) || 'run';

/** A part of a name, which may be long; what is cut must not end in what a name may not hold before a dash. */
const part = (name: string, characters: number): string => name.slice(0, characters).replace(/[.-]+$/, '');

export const ownedName = (workload: string, runId: string): string => `${part(workload, 240)}-pgb-${runSuffix(runId)}`;

/**
 * The copy of an object with a mounted file, one for each workload that mounts it: two workloads may change different keys,
 * and one may go back while the other stays.
 */
export const copyName = (object: string, workload: string, runId: string): string =>
  `${part(object, 120)}-pgb-${runSuffix(runId)}-${part(workload, 110)}`;

/** Which run an object was made for. */
export const RUN_LABEL = 'pgb-wizard.dev/run';

export const ownedLabels = (runId: string): Record<string, string> => ({
  'app.kubernetes.io/managed-by': 'pgb-wizard',
  [RUN_LABEL]: runId.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 63),
});

type Kind = 'Secret' | 'ConfigMap';

interface ChangedFile {
  readonly whole: string;
  /** By their start: a Secret that is mounted twice brings each of its addresses twice. */
  readonly splices: Map<number, Splice>;
}

export class OwnedObjects {
  /** Of the Secret and the ConfigMap with the new addresses. */
  readonly name: string;
  readonly #live: KubeObject;
  readonly #runId: string;
  /** Text by key. */
  readonly #keys = { Secret: new Map<string, string>(), ConfigMap: new Map<string, string>() };
  /** Copies of whole objects for mounted files, by source object. */
  readonly #copies = new Map<string, { ref: Ref; object: KubeObject; files: Map<string, ChangedFile> }>();

  constructor(live: KubeObject, runId: string) {
    this.#live = live;
    this.#runId = runId;
    this.name = ownedName(String(live.metadata.name), runId);
  }

  /** The key under which a text is stored; another one when the key is taken by a different text. */
  keyFor(kind: Kind, wanted: string, text: string, site: Pick<Site, 'container' | 'name'>): string {
    const keys = this.#keys[kind];
    const candidates = [wanted, `${site.container}.${wanted}`, `${site.container}.${site.name}`];
    for (let n = 2; ; n++) {
      const key = candidates.shift() ?? `${wanted}.${n}`;
      const held = keys.get(key);
      if (held === undefined || held === text) {
        keys.set(key, text);
        return key;
      }
    }
  }

  /** Name of the copy of an object in which one more stretch of the file `key`, `whole` in the original, is another. */
  copyWith(object: KubeObject, kind: Kind, name: string, key: string, whole: string, splice: Splice): string {
    const id = `${kind}/${name}`;
    const copy = this.#copies.get(id) ?? {
      ref: ref(kind, this.#live.metadata.namespace, copyName(name, String(this.#live.metadata.name), this.#runId)),
      object,
      files: new Map<string, ChangedFile>(),
    };
    const file = copy.files.get(key) ?? { whole, splices: new Map() };
    file.splices.set(splice.start, splice);
    copy.files.set(key, file);
    this.#copies.set(id, copy);
    return copy.ref.name;
  }

  objects(): NewObject[] {
    const namespace: string = this.#live.metadata.namespace;
    const objects: NewObject[] = [];
    for (const kind of ['Secret', 'ConfigMap'] as const) {
      if (this.#keys[kind].size === 0) continue;
      const data: Record<string, string> = {};
      for (const [key, text] of this.#keys[kind]) data[key] = kind === 'Secret' ? base64(text) : text;
      objects.push({ ref: ref(kind, namespace, this.name), manifest: this.#manifest(kind, this.name, data) });
    }
    for (const { ref: of, object, files } of this.#copies.values()) {
      const kind = object.kind as Kind;
      const data = { ...object.data };
      for (const [key, { whole, splices }] of files) {
        const text = spliced(whole, [...splices.values()]);
        data[key] = kind === 'Secret' ? base64(text) : text;
      }
      const manifest = this.#manifest(kind, of.name, data);
      if (object.binaryData) manifest.binaryData = object.binaryData;
      if (object.type) manifest.type = object.type;
      objects.push({ ref: of, manifest });
    }
    return objects;
  }

  #manifest(kind: Kind, name: string, data: Record<string, string>): Json {
    return {
      apiVersion: 'v1',
      kind,
      metadata: {
        name,
        namespace: this.#live.metadata.namespace,
        labels: ownedLabels(this.#runId),
        annotations: { 'pgb-wizard.dev/workload': `${this.#live.kind.toLowerCase()}/${this.#live.metadata.name}` },
      },
      ...(kind === 'Secret' ? { type: 'Opaque' } : {}),
      immutable: true,
      data,
    };
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
