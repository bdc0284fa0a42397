/** The operator's own manifests: every YAML document of a folder, in the order kubectl would apply them by name. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { KubeObject } from './config-types.ts';

/** Reads `*.yaml`, `*.yml` and `*.json`. Objects without a namespace get the run's. Errors: `plan-invalid` with file and line. */
export async function loadManifests(folder: string, namespace: string): Promise<Result<KubeObject[]>> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => /\.(ya?ml|json)$/.test(name)).sort();
  } catch (error) {
    return fail(
      'plan-invalid',
      `the folder of manifests can't be read: ${sanitiseLine((error as Error).message, 300)}`,
      {
        next: ['Correct pooler.manifests in the plan.'],
      },
    );
  }
  const objects: KubeObject[] = [];
  for (const name of names) {
    const documents = parseAllDocuments(await readFile(join(folder, name), 'utf8'));
    const values: unknown[] = [];
    for (const document of Array.isArray(documents) ? documents : []) {
      const [error] = document.errors;
      if (error) return fail('plan-invalid', `${name}: ${sanitiseLine(error.message, 300)}`);
      values.push(document.toJS());
    }
    for (const value of values.flatMap(items)) {
      if (value === null || value === undefined) continue;
      const object = value as KubeObject;
      if (typeof object.kind !== 'string' || typeof object.metadata?.name !== 'string') {
        return fail(
          'plan-invalid',
          `${name} holds a document that is no Kubernetes object (kind and metadata.name are missing)`,
        );
      }
      if (object.metadata.namespace !== undefined && object.metadata.namespace !== namespace) {
        return fail(
          'plan-invalid',
          `${name}: ${object.kind}/${object.metadata.name} is of namespace ${sanitiseLine(object.metadata.namespace, 80)}, the run is in ${namespace}`,
        );
      }
      object.metadata.namespace = namespace;
      objects.push(object);
    }
  }
  if (objects.length === 0) return fail('plan-invalid', 'the folder of manifests holds no Kubernetes object');
  return ok(objects);
}

/** The objects of what `kubectl get -o yaml` prints of several. */
function items(value: unknown): unknown[] {
  const list = value as { kind?: unknown; items?: unknown } | null | undefined;
  return list?.kind === 'List' && Array.isArray(list.items) ? list.items.flatMap(items) : [value];
}
