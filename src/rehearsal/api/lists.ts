/** Lists: selection, pages with `limit` and `continue`, and the list object. */
import type { Json, KubeObject } from '../contract.ts';
import { badRequest, failure } from './errors.ts';

export interface Page {
  objects: KubeObject[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

interface Token {
  v: string;
  rv: number;
  start: string;
}

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

/** One page of `objects`, which come in order of their keys. Throws 400 for a broken token and 410 for one that is too old. */
export function page(
  objects: KubeObject[],
  options: { limit: number; token: string | null; revision: number; oldest: number; filtered: boolean },
): Page {
  let rest = objects;
  let revision = options.revision;
  if (options.token !== null && options.token !== '') {
    const token = readToken(options.token);
    if (token.rv < options.oldest) {
      throw failure(
        410,
        'Expired',
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      );
    }
    revision = token.rv;
    rest = objects.filter((object) => keyOf(object) > token.start);
  }
  if (options.limit <= 0 || rest.length <= options.limit) {
    return { objects: rest, metadata: { resourceVersion: String(revision) } };
  }
  const shown = rest.slice(0, options.limit);
  const token: Token = { v: 'meta.k8s.io/v1', rv: revision, start: keyOf(shown.at(-1) as KubeObject) };
  return {
    objects: shown,
    metadata: {
      resourceVersion: String(revision),
      continue: Buffer.from(JSON.stringify(token)).toString('base64url'),
      // A filtered list doesn't say how many are left, as on the real server.
      ...(options.filtered ? {} : { remainingItemCount: rest.length - shown.length }),
    },
  };
}

function readToken(text: string): Token {
  const bad = (reason: string): Error => badRequest(`invalid continue token: continue key is not valid: ${reason}`);
  const at = text.search(/[^A-Za-z0-9_-]/);
  if (at >= 0) throw bad(`illegal base64 data at input byte ${at}`);
  const bytes = Buffer.from(text, 'base64url');
  let token: Json;
  try {
    token = JSON.parse(bytes.toString('utf8'));
  } catch {
    const first = bytes[0] ?? 0;
    const sign =
      first >= 0x20 && first < 0x7f ? String.fromCharCode(first) : `\\u${first.toString(16).padStart(4, '0')}`;
    throw bad(`invalid character '${sign}' looking for beginning of value`);
  }
  if (typeof token?.start !== 'string' || typeof token.rv !== 'number') throw bad('invalid start key');
  return token;
}

/** The list object. Items of built-in kinds carry no kind and apiVersion of their own. */
export function listObject(kind: string, apiVersion: string, { objects, metadata }: Page, custom: boolean): Json {
  return {
    kind: `${kind}List`,
    apiVersion,
    metadata,
    items: custom ? objects : objects.map(({ kind: _kind, apiVersion: _version, ...rest }) => rest),
  };
}
