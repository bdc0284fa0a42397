/**
 * OpenAPI v3, as little as kubectl needs: for every kind a `patch` operation that takes `fieldValidation`, which makes it leave
 * validation to the server, and no strategic-merge schema, which makes it use its built-in merge keys.
 */
import type { Json } from '../contract.ts';
import { definitions, groupVersion } from './catalogue.ts';
import { groupVersions } from './discovery.ts';

const pathOf = (gv: string): string => (gv.includes('/') ? `apis/${gv}` : `api/${gv}`);

/** `GET /openapi/v3`. */
export function openApiIndex(): Json {
  const paths: Json = {};
  for (const gv of groupVersions()) {
    paths[pathOf(gv)] = {
      serverRelativeURL: `/openapi/v3/${pathOf(gv)}?hash=${Buffer.from(gv).toString('hex').slice(0, 16)}`,
    };
  }
  return { paths };
}

/** `GET /openapi/v3/apis/<group>/<version>`; `undefined` when the cluster hasn't the group. */
export function openApiGroup(path: string): Json {
  const gv = [...groupVersions()].find((one) => pathOf(one) === path);
  if (gv === undefined) return undefined;
  const paths: Json = {};
  const kinds = definitions().filter((definition) => groupVersion(definition) === gv);
  // A file with a `List` in it (`kubectl get -o yaml`) is checked as its kind; a real server answers that in its v2 document.
  const list = gv === 'v1' ? [{ group: '', version: 'v1', kind: 'List', plural: 'lists', namespaced: false }] : [];
  for (const definition of [...kinds, ...list]) {
    const scope = definition.namespaced ? '/namespaces/{namespace}' : '';
    paths[`/${path}${scope}/${definition.plural}/{name}`] = {
      patch: {
        operationId: `patch${definition.kind}`,
        parameters: ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
          name,
          in: 'query',
          schema: { type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
        })),
        responses: { 200: { description: 'OK' } },
        'x-kubernetes-action': 'patch',
        'x-kubernetes-group-version-kind': {
          group: definition.group,
          kind: definition.kind,
          version: definition.version,
        },
      },
    };
  }
  return { openapi: '3.0.0', info: { title: 'Kubernetes', version: 'v1' }, paths, components: { schemas: {} } };
}
