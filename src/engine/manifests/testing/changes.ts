/** Changes as the run plans them, on objects that a test writes as manifests; and folders to keep those in. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import jsonPatch from 'fast-json-patch';
import { parseAllDocuments } from 'yaml';
import { patchTo } from '../../kube/edits.ts';
import { templateOf } from '../../kube/fingerprint.ts';
import { refOf } from '../../kube/refs.ts';
import { scanTemplate } from '../../kube/scan.ts';
import type { ReadSources } from '../../kube/sources.ts';
import { planEdits } from '../../kube/switch-plan.ts';
import type { ResolvedTarget } from '../../kube/target.ts';
import type { Json, KubeObject } from '../../kube/types.ts';
import { staysDirect } from '../../kube/workload-types.ts';
import { parseFile } from '../documents.ts';
import type { WantedChange } from '../types.ts';

export const NAMESPACE = 'nova';
export const TO = { host: 'pgbouncer', port: 6432 };
export const TARGET: ResolvedTarget = {
  hosts: ['postgres', 'postgres.nova', 'postgres.nova.svc', 'postgres.nova.svc.cluster.local'],
  services: ['postgres'],
  namespace: NAMESPACE,
  ports: [5432],
  links: {},
};

type Data = Readonly<Record<string, Readonly<Record<string, string>>>>;

export const sourcesOf = (secrets: Data = {}, configMaps: Data = {}): ReadSources => ({
  serviceLinks: {},
  unreadable: [],
  secret: (name) => secrets[name],
  configMap: (name) => configMaps[name],
  read: () => true,
  object: (kind, name) => {
    const data = kind === 'Secret' ? secrets[name] : configMaps[name];
    if (data === undefined) return undefined;
    const encoded = Object.entries(data).map(([key, text]) => [
      key,
      kind === 'Secret' ? Buffer.from(text).toString('base64') : text,
    ]);
    return { apiVersion: 'v1', kind, metadata: { name, namespace: NAMESPACE }, data: Object.fromEntries(encoded) };
  },
});

/** The live object of a manifest: what the server adds to it does not matter here. */
export const liveOf = (manifest: Json): KubeObject => ({
  ...structuredClone(manifest),
  metadata: { ...structuredClone(manifest.metadata), namespace: NAMESPACE, uid: 'u1', generation: 1 },
});

/** The change of one live object; a test that plans something impossible is wrong. */
export function changeOf(live: KubeObject, sources: ReadSources = sourcesOf(), runId = '7f3a1b2c'): WantedChange {
  const sites = scanTemplate(live, sources, TARGET).sites.filter((site) => !staysDirect(site.role));
  const planned = planEdits(live, sites, sources, TARGET, TO, runId);
  if (!planned.ok) throw new Error(planned.error.message);
  if (planned.value.edits.length === 0) throw new Error('the object does not reach the target');
  return { ref: refOf(live)!, edits: planned.value.edits, objects: planned.value.objects };
}

/** Live objects of every workload in a text, as if it had been applied as it is. */
export function livesIn(text: string): KubeObject[] {
  return (parseAllDocuments(text, { merge: true }) as { toJS(): Json }[])
    .map((document) => document.toJS())
    .flatMap((value) => (value?.kind === 'List' ? value.items : [value]))
    .filter((value) => templateOf(value ?? {}) !== undefined)
    .map(liveOf);
}

const made: string[] = [];

/** Removes every folder that `folderOf` has made in this process. */
export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A new folder with these files. */
export function folderOf(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'pgbw-manifests-'));
  made.push(folder);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** The documents of a text after the live patches of these changes, as an API server makes them. */
export function patched(text: string, changes: readonly WantedChange[]): Json[] {
  const values = structuredClone(parseFile(text)!.values) as Json[];
  for (const change of changes) {
    for (const value of values.flatMap((one) => (one.kind === 'List' ? one.items : [one]))) {
      if (value.metadata.name !== change.ref.name) continue;
      const live = { ...value, metadata: { ...value.metadata, uid: 'u1', generation: 1, resourceVersion: '1' } };
      const ops = patchTo(live, change.edits, 'after');
      if (ops === undefined) throw new Error('the patch does not fit');
      value.spec = jsonPatch.applyPatch(structuredClone(live), structuredClone(ops) as never).newDocument.spec;
    }
  }
  return values;
}
