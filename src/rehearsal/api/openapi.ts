/**
 * OpenAPI, as little as kubectl needs. Version 3: for every kind a `patch` operation that takes `fieldValidation`, which makes it
 * leave validation to the server, and no strategic-merge schema, which makes it use its built-in merge keys. Version 2: a
 * document without schemas, for a file with a `List` in it (`kubectl get -o yaml`), whose kind kubectl never asks version 3 about.
 */
import type { Json } from '../contract.ts';
import { definitions, groupVersion } from './catalogue.ts';
import { groupVersions } from './discovery.ts';

const pathOf = (gv: string): string => (gv.includes('/') ? `apis/${gv}` : `api/${gv}`);

const INFO = { title: 'Kubernetes', version: 'v1' } as const;

/** A protobuf field of text; the length of what stands here fits in one byte. */
const field = (number: number, text: string): string => String.fromCharCode((number << 3) | 2, text.length) + text;

/** What a server calls it since Go refuses the `@v1.0` of the name that clients ask for. */
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** `GET /openapi/v2`: gnostic's `Document` with `swagger` (1) and `info` (2: `title` 1, `version` 2); as JSON for who wants it. */
export function openApiV2(accept: string): { body: Json; contentType?: string } {
  if (!accept.includes('proto-openapi.spec.v2')) return { body: { swagger: '2.0', info: INFO, paths: {} } };
  return {
    body: field(1, '2.0') + field(2, field(1, INFO.title) + field(2, INFO.version)),
    contentType: PROTOBUF,
  };
}

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
  for (const definition of definitions().filter((one) => groupVersion(one) === gv)) {
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
  return { openapi: '3.0.0', info: INFO, paths, components: { schemas: {} } };
}
