/**
 * Volumes of a pod as real folders. Each volume is one folder; a container's root holds symbolic links at its mount
 * paths, so that an edited ConfigMap or Secret shows through without touching the container, as the kubelet's does.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import type { Launcher } from '../servers/account.ts';

export interface VolumeFile {
  path: string;
  content: Buffer;
  mode: number;
}

/** What the files of a volume should be, or the message of the kubelet's `FailedMount` event. */
export function volumeFiles(
  volume: Json,
  namespace: string,
  store: ObjectStore,
  pod: KubeObject,
): { files: VolumeFile[] } | { missing: string } {
  if (volume.secret)
    return fromObject(
      store.get('secrets', namespace, volume.secret.secretName),
      volume.secret,
      volume.secret.secretName,
      'secret',
      namespace,
    );
  if (volume.configMap)
    return fromObject(
      store.get('configmaps', namespace, volume.configMap.name),
      volume.configMap,
      volume.configMap.name,
      'configmap',
      namespace,
    );
  if (volume.projected) {
    const files: VolumeFile[] = [];
    for (const source of volume.projected.sources ?? []) {
      if (!source.secret && !source.configMap && !source.downwardAPI) continue;
      const part = volumeFiles(
        source.secret
          ? { secret: { ...source.secret, secretName: source.secret.name, defaultMode: volume.projected.defaultMode } }
          : source.configMap
            ? { configMap: { ...source.configMap, defaultMode: volume.projected.defaultMode } }
            : { downwardAPI: source.downwardAPI },
        namespace,
        store,
        pod,
      );
      if ('missing' in part) return part;
      files.push(...part.files);
    }
    return { files };
  }
  if (volume.downwardAPI) {
    const files = (volume.downwardAPI.items ?? []).map((item: Json) => ({
      path: item.path,
      content: Buffer.from(String(fieldOf(pod, item.fieldRef?.fieldPath ?? '') ?? '')),
      mode: item.mode ?? volume.downwardAPI.defaultMode ?? 0o644,
    }));
    return { files };
  }
  return { files: [] };
}

/** The downward API's `fieldPath`. */
export function fieldOf(pod: KubeObject, path: string): string | undefined {
  const keyed = path.match(/^metadata\.(labels|annotations)\['(.+)'\]$/);
  if (keyed) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] as string];
  let value: Json = pod;
  for (const part of path.split('.')) value = value?.[part];
  return value === undefined || value === null ? undefined : String(value);
}

function fromObject(
  object: KubeObject | undefined,
  spec: Json,
  name: string,
  kind: string,
  namespace: string,
): { files: VolumeFile[] } | { missing: string } {
  if (!object) return spec.optional ? { files: [] } : { missing: `${kind} "${name}" not found` };
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(object.data ?? {}))
    data.set(key, kind === 'secret' ? Buffer.from(String(value), 'base64') : Buffer.from(String(value), 'utf8'));
  for (const [key, value] of Object.entries(object.binaryData ?? {}))
    data.set(key, Buffer.from(String(value), 'base64'));
  const mode = spec.defaultMode ?? 0o644;
  if (!spec.items) return { files: [...data].map(([path, content]) => ({ path, content, mode })) };
  const files: VolumeFile[] = [];
  for (const item of spec.items) {
    const content = data.get(item.key);
    if (content) files.push({ path: item.path, content, mode: item.mode ?? mode });
    else if (!spec.optional)
      return { missing: `references non-existent ${kind} key: ${item.key} in ${namespace}/${name}` };
  }
  return { files };
}

/** Writes the files; returns true when something on disk changed. */
export function writeVolume(folder: string, files: readonly VolumeFile[], launcher: Launcher): boolean {
  let changed = false;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  launcher.own(folder);
  for (const file of files) {
    const path = join(folder, normalize(`/${file.path}`));
    if (existsSync(path) && readFileSync(path).equals(file.content)) continue;
    mkdirSync(dirname(path), { recursive: true });
    const draft = `${path}.new`;
    writeFileSync(draft, file.content, { mode: file.mode });
    chmodSync(draft, file.mode);
    launcher.own(draft);
    renameSync(draft, path);
    changed = true;
  }
  return changed;
}

/** Puts the volumes at their mount paths under a container's root. */
export function mountVolumes(
  root: string,
  container: Json,
  volumeFolder: (name: string) => string,
  launcher: Launcher,
): void {
  for (const mount of [...(container.volumeMounts ?? [])].sort(
    (a: Json, b: Json) => a.mountPath.length - b.mountPath.length,
  )) {
    const target = join(root, normalize(`/${mount.mountPath}`));
    const source = mount.subPath
      ? join(volumeFolder(mount.name), normalize(`/${mount.subPath}`))
      : volumeFolder(mount.name);
    mkdirSync(dirname(target), { recursive: true });
    if (existsSync(target)) {
      try {
        unlinkSync(target);
      } catch {
        // A folder made for a deeper mount: that mount is linked again below it.
        rmSync(target, { recursive: true, force: true });
      }
    }
    // A subPath is a copy made at start: later edits of the object don't reach it.
    if (mount.subPath) {
      if (!existsSync(source)) mkdirSync(source, { recursive: true });
      cpSync(source, target, { recursive: true });
      launcher.own(target);
    } else symlinkSync(source, target);
  }
}
