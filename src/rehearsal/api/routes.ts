/** From a path to a target: `/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>/<subresource>` and its shorter forms. */
import { definitionAt } from './catalogue.ts';
import type { Target } from './request-options.ts';

export interface ParsedPath {
  group: string;
  version: string;
  namespace: string | undefined;
  plural: string;
  name: string | undefined;
  subresource: string | undefined;
}

/** `undefined` when the path isn't one of a resource. */
export function parseResourcePath(path: string): ParsedPath | undefined {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  let group = '';
  let version: string | undefined;
  let rest: string[];
  if (parts[0] === 'api') [, version, ...rest] = parts as [string, string, ...string[]];
  else if (parts[0] === 'apis') [, group, version, ...rest] = parts as [string, string, string, ...string[]];
  else return undefined;
  if (version === undefined || rest.length === 0) return undefined;
  if (
    rest[0] === 'namespaces' &&
    rest.length >= 3 &&
    !(rest.length === 3 && ['status', 'finalize'].includes(rest[2] as string))
  ) {
    const [, namespace, plural, name, ...sub] = rest as [string, string, string, ...string[]];
    return { group, version, namespace, plural, name, subresource: sub.length === 0 ? undefined : sub.join('/') };
  }
  const [plural, name, ...sub] = rest as [string, ...string[]];
  return {
    group,
    version,
    namespace: undefined,
    plural,
    name,
    subresource: sub.length === 0 ? undefined : sub.join('/'),
  };
}

/** The target of a parsed path; `undefined` for kinds and subresources the cluster hasn't. */
export function targetOf(parsed: ParsedPath): Target | undefined {
  const definition = definitionAt(parsed.group, parsed.version, parsed.plural);
  if (definition === undefined) return undefined;
  if (parsed.subresource !== undefined && definition.subresources[parsed.subresource] === undefined) return undefined;
  if (!definition.namespaced && parsed.namespace !== undefined) return undefined;
  const { namespace, name, subresource } = parsed;
  return { definition, namespace, name, subresource };
}

/** The verb RBAC knows for a request. */
export function verbOf(method: string, parsed: ParsedPath, query: URLSearchParams): string {
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return parsed.name === undefined ? 'deletecollection' : 'delete';
    default:
      if (['true', '1'].includes(query.get('watch') ?? '')) return 'watch';
      return parsed.name === undefined ? 'list' : 'get';
  }
}

/**
 * The name RBAC judges by: the one in the path, or that of a list or watch which asks for one object by `metadata.name`, which a
 * rule with `resourceNames` allows.
 */
export function nameOf(verb: string, parsed: ParsedPath, query: URLSearchParams): string | undefined {
  if (parsed.name !== undefined || (verb !== 'list' && verb !== 'watch')) return parsed.name;
  const exact = /(?:^|,)metadata\.name==?([^,]+)/.exec(query.get('fieldSelector') ?? '');
  return exact?.[1];
}
