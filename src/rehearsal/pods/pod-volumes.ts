/** All volumes of one pod. */
import { join } from 'node:path';
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import type { Launcher } from '../servers/account.ts';
import { mountVolumes, volumeFiles, writeVolume } from './volumes.ts';

export class PodVolumes {
  readonly #folder: string;
  readonly #store: ObjectStore;
  readonly #launcher: Launcher;

  constructor(folder: string, store: ObjectStore, launcher: Launcher) {
    this.#folder = folder;
    this.#store = store;
    this.#launcher = launcher;
  }

  /** Writes and mounts everything; the message of a `FailedMount` event when an object is missing. */
  mount(pod: KubeObject, containers: readonly { root: string; spec: Json }[]): string | undefined {
    for (const volume of pod.spec?.volumes ?? []) {
      const wanted = volumeFiles(volume, pod.metadata.namespace as string, this.#store, pod);
      if ('missing' in wanted) return `MountVolume.SetUp failed for volume "${volume.name}" : ${wanted.missing}`;
      writeVolume(this.#place(volume.name), wanted.files, this.#launcher);
    }
    for (const { root, spec } of containers) mountVolumes(root, spec, (name) => this.#place(name), this.#launcher);
    return undefined;
  }

  /** Brings the files up to date; true when one changed. An object that has gone leaves its files as they are. */
  refresh(pod: KubeObject): boolean {
    let changed = false;
    for (const volume of pod.spec?.volumes ?? []) {
      const wanted = volumeFiles(volume, pod.metadata.namespace as string, this.#store, pod);
      if (!('files' in wanted) || wanted.files.length === 0) continue;
      changed = writeVolume(this.#place(volume.name), wanted.files, this.#launcher) || changed;
    }
    return changed;
  }

  #place(name: string): string {
    return join(this.#folder, name);
  }
}

/** Does a volume of the pod show this Secret (`secrets`) or ConfigMap (`configmaps`)? */
export function mentions(pod: KubeObject, resource: string, name: string): boolean {
  const secret = resource === 'secrets';
  return (pod.spec?.volumes ?? []).some((volume: Json) => {
    const direct = secret ? volume.secret?.secretName : volume.configMap?.name;
    const projected = (volume.projected?.sources ?? []).some(
      (source: Json) => (secret ? source.secret : source.configMap)?.name === name,
    );
    return direct === name || projected;
  });
}
