/**
 * Addresses of PostgreSQL in what is not edited: values of Helm charts, generators and inline patches of kustomize, other
 * workloads. They are named with their line, because somebody has to look; nothing here is guessed at.
 */
import { isMap, isPair, isScalar, type Node, visit } from 'yaml';
import { parseDsn } from '../kube/dsn.ts';
import { isTarget, isTargetHost, type ResolvedTarget } from '../kube/target.ts';
import type { Json } from '../kube/types.ts';
import { sanitiseLine } from '../sanitise.ts';
import { lineOf, type Parsed } from './documents.ts';
import { isKustomization } from './kustomize.ts';
import { shownValue } from './masked.ts';
import type { Mention } from './types.ts';

const HOST_NAME = /(host(name|addr)?|server|addr(ess)?|endpoint)$/i;
const URL = /(?:jdbc:|r2dbc:)?(?:postgres|postgresql|postgis|pgsql)(?:\+[a-z0-9_]+)?:\/\/[^\s"'`<>\\]+/gi;

/** Does a text hold an address that means the target? `name`: the key or variable it stands under. */
function isAddress(target: ResolvedTarget, name: string, text: string): boolean {
  const dsns = [parseDsn(text), ...[...text.matchAll(URL)].map(([url]) => parseDsn(url))];
  if (dsns.some((dsn) => dsn?.hosts.some((host) => isTarget(target, host)))) return true;
  const together = /^([^:\s/]+):(\d{1,5})$/.exec(text);
  if (together) return isTarget(target, { host: together[1]!, port: Number(together[2]) });
  return HOST_NAME.test(name) && /^[A-Za-z0-9._-]+$/.test(text) && isTargetHost(target, text);
}

/** Every such place of a file but those below the paths of `known` (document and path of objects that are edited). */
export function mentionsIn(
  path: string,
  parsed: Parsed,
  target: ResolvedTarget,
  known: readonly { readonly document: number; readonly node: Node | undefined }[],
): Mention[] {
  const found: Mention[] = [];
  for (const [index, document] of parsed.documents.entries()) {
    const value: Json = parsed.values[index];
    const about = aboutOf(path, value);
    visit(document, {
      Map(_, map) {
        return known.some((one) => one.document === index && one.node === map) ? visit.SKIP : undefined;
      },
      Scalar(key, node, ancestors) {
        if (key === 'key' || typeof node.value !== 'string' || !node.range) return undefined;
        const under = nameOf(ancestors);
        const pair = /^([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$/s.exec(node.value);
        const [name, text] = pair && !parseDsn(node.value) ? [pair[1]!, pair[2]!] : [under.name, node.value];
        if (!isAddress(target, name, text)) return undefined;
        found.push({
          path,
          line: lineOf(parsed.text, node.range[0]),
          what: `${about.what}${under.path === '' ? '' : ` ${sanitiseLine(under.path, 120)}`}`,
          shown: node.value.includes('\n') ? '(a text of several lines)' : sanitiseLine(shownValue(node.value), 200),
          helm: about.helm,
        });
        return undefined;
      },
    });
  }
  return found;
}

/** `db.host`, and the variable's name where the value is that of a `name` / `value` pair. */
function nameOf(ancestors: readonly unknown[]): { readonly path: string; readonly name: string } {
  const keys = ancestors.flatMap((one) => (isPair(one) && isScalar(one.key) ? [String(one.key.value)] : []));
  const beside = ancestors.findLast((one) => isMap(one));
  const name = isMap(beside) ? beside.get('name') : undefined;
  const variable = keys.at(-1) === 'value' && typeof name === 'string' ? name : undefined;
  return { path: [...keys, ...(variable ? [`(${variable})`] : [])].join('.'), name: variable ?? keys.at(-1) ?? '' };
}

function aboutOf(path: string, value: Json): { readonly what: string; readonly helm: boolean } {
  const kind = typeof value?.kind === 'string' ? value.kind : undefined;
  const api = String(value?.apiVersion ?? '');
  const object = kind && sanitiseLine(`${kind} ${value?.metadata?.name ?? ''}`, 160).trim();
  if (kind === 'HelmRelease' || kind === 'HelmChart' || (kind === 'Application' && api.startsWith('argoproj.io/')))
    return { what: object!, helm: true };
  if (isKustomization(path) || kind === 'Kustomization') return { what: 'kustomization', helm: false };
  if (kind !== undefined && value?.metadata?.name !== undefined) return { what: object!, helm: false };
  return { what: 'values', helm: /(^|\/)[^/]*values[^/]*\.ya?ml$/i.test(path) };
}

/** What makes a Secret in a folder: the Secret itself, or what an operator turns into one. */
export function makerOf(value: Json): { readonly kind: string; readonly secret: string } | undefined {
  const name: unknown = value?.metadata?.name;
  switch (value?.kind) {
    case 'Secret':
      return { kind: value.sops === undefined ? 'Secret' : 'SOPS Secret', secret: String(name) };
    case 'ExternalSecret':
      return { kind: 'ExternalSecret', secret: String(value.spec?.target?.name ?? name) };
    case 'SealedSecret':
      return { kind: 'SealedSecret', secret: String(value.spec?.template?.metadata?.name ?? name) };
    case 'SopsSecret':
      return { kind: 'SopsSecret', secret: String(value.spec?.secretTemplates?.[0]?.name ?? name) };
    case 'VaultStaticSecret':
      return { kind: 'VaultStaticSecret', secret: String(value.spec?.destination?.name ?? name) };
    default:
      return undefined;
  }
}
