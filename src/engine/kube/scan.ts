/** Where a pod template holds the target's address. Pure: sources are handed in. */

import { roleOf } from './container-role.ts';
import { type EnvironmentSources, effectiveEnvironment } from './environment.ts';
import { templateOf, templatePath } from './fingerprint.ts';
import { argumentSites } from './scan-arguments.ts';
import { environmentSites } from './scan-environment.ts';
import { fileSites } from './scan-files.ts';
import type { ScanResult, Site } from './site.ts';
import { type ResolvedTarget, seenBy } from './target.ts';
import type { Json, KubeObject } from './types.ts';

const PROXY_IMAGE =
  /(cloud-sql-proxy|cloudsql-docker|pgbouncer|pgpool|odyssey|pgcat|envoyproxy\/envoy|haproxy|rds-proxy)/i;

/** Names, images and places of one pod template. */
export function scanTemplate(object: KubeObject, sources: EnvironmentSources, everywhere: ResolvedTarget): ScanResult {
  const spec = templateOf(object)?.spec ?? {};
  const base = `${templatePath(object.kind)}/spec`;
  const sites: Site[] = [];
  const unexplained: { container?: string; reason: string }[] = [];
  const seen: EnvironmentSources = {
    secret: (name) => sources.secret(name),
    configMap: (name) => sources.configMap(name),
    field: (path) => fieldOf(object, path),
    serviceLinks: spec.enableServiceLinks === false ? {} : sources.serviceLinks,
  };
  const target = seenBy(everywhere, spec);
  const proxies: string[] = [];
  for (const [field, list] of [
    ['containers', spec.containers ?? []],
    ['initContainers', spec.initContainers ?? []],
  ] as const) {
    for (const [index, container] of (list as Json[]).entries()) {
      const role = roleOf(container, field);
      const where = { container: String(container.name), role, pointer: `${base}/${field}/${index}` };
      if (role !== 'init' && PROXY_IMAGE.test(container.image ?? '')) proxies.push(where.container);
      const env = effectiveEnvironment(container, seen);
      for (const gap of env.missing)
        unexplained.push({ container: where.container, reason: `${gap} is missing or not readable` });
      for (const variable of env.own.values()) {
        if (variable.origin.kind === 'fileKeyRef') {
          unexplained.push({
            container: where.container,
            reason: `variable ${variable.name} comes from a file (fileKeyRef)`,
          });
        }
      }
      sites.push(...environmentSites(container, env, where, target), ...argumentSites(container, env, where, target));
    }
  }
  sites.push(...fileSites(spec, base, sources, target));
  const annotations: Json = templateOf(object)?.metadata?.annotations ?? {};
  if (annotations['vault.hashicorp.com/agent-inject'] === 'true') {
    unexplained.push({ reason: 'the Vault agent writes files into the pod; their content is not visible here' });
  }
  for (const volume of spec.volumes ?? []) {
    if (volume.csi?.driver === 'secrets-store.csi.k8s.io') {
      unexplained.push({
        reason: `volume ${volume.name} comes from a secret store (CSI); its content is not visible here`,
      });
    }
  }
  return { sites, unexplained, proxies };
}

/** Fields of a pod that its workload decides: an address may be put together of them (`postgres.$(NAMESPACE).svc`). */
function fieldOf(object: KubeObject, path: string): string | undefined {
  const template = templateOf(object);
  switch (path) {
    case 'metadata.namespace':
      return object.metadata.namespace;
    case 'spec.serviceAccountName':
      return template?.spec?.serviceAccountName ?? 'default';
    default: {
      const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
      return map === undefined || key === undefined ? undefined : template?.metadata?.[map]?.[key];
    }
  }
}
