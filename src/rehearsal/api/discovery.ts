/** Discovery documents: `/api`, `/apis`, and one list of resources per group version (unaggregated; clients fall back to it). */
import type { Json } from '../contract.ts';
import { definitions, groupVersion } from './catalogue.ts';

/** Reviews are created, never stored. */
const REVIEWS: Record<
  string,
  { name: string; singularName: string; namespaced: boolean; kind: string; verbs: string[] }[]
> = {
  'authentication.k8s.io/v1': [review('SelfSubjectReview', false)],
  'authorization.k8s.io/v1': [
    review('LocalSubjectAccessReview', true),
    review('SelfSubjectAccessReview', false),
    review('SelfSubjectRulesReview', false),
    review('SubjectAccessReview', false),
  ],
};

function review(kind: string, namespaced: boolean) {
  const singularName = kind.toLowerCase();
  return { name: `${singularName}s`, singularName, namespaced, kind, verbs: ['create'] };
}

/** `GET /api`. `address` is host:port as clients reach the server. */
export function coreVersions(address: string): Json {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
  };
}

/** `GET /apis`. */
export function groups(): Json {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupNames().map((name) => group(name)) };
}

/** `GET /apis/<group>`, without kind and apiVersion. `undefined` for a group the cluster hasn't. */
export function group(name: string): Json {
  const versions = [...groupVersions()].filter((one) => one.startsWith(`${name}/`));
  if (versions.length === 0) return undefined;
  const list = versions.map((one) => ({ groupVersion: one, version: one.split('/')[1] }));
  return { name, versions: list, preferredVersion: list[0] };
}

export function groupVersions(): Set<string> {
  return new Set([...definitions().map(groupVersion), ...Object.keys(REVIEWS)]);
}

function groupNames(): string[] {
  return [
    ...new Set([...groupVersions()].filter((one) => one.includes('/')).map((one) => one.split('/')[0] as string)),
  ];
}

/** `GET /apis/<group>/<version>` or `/api/v1`. `undefined` for one the cluster hasn't. */
export function resources(wanted: string): Json {
  const rows: Json[] = [...(REVIEWS[wanted] ?? [])];
  for (const definition of definitions()) {
    if (groupVersion(definition) !== wanted) continue;
    rows.push({
      name: definition.plural,
      singularName: definition.singular,
      namespaced: definition.namespaced,
      kind: definition.kind,
      verbs: definition.verbs,
      ...(definition.shortNames.length > 0 ? { shortNames: definition.shortNames } : {}),
      ...(definition.categories.length > 0 ? { categories: definition.categories } : {}),
    });
    for (const [name, subresource] of Object.entries(definition.subresources)) {
      const [subgroup, version] = subresource.groupVersion?.split('/') ?? [];
      rows.push({
        name: `${definition.plural}/${name}`,
        singularName: '',
        namespaced: definition.namespaced,
        ...(subgroup === undefined ? {} : { group: subgroup, version }),
        kind: subresource.kind,
        verbs: subresource.verbs,
      });
    }
  }
  if (rows.length === 0) return undefined;
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  // The core list has no apiVersion of its own (recording 00).
  return wanted === 'v1'
    ? { kind: 'APIResourceList', groupVersion: wanted, resources: rows }
    : { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: wanted, resources: rows };
}
