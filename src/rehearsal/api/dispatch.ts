/** Which handler serves a request: version and health, discovery, reviews, extensions, pod logs, resources. */
import type { ServerResponse } from 'node:http';
import type { Json, PodRuntime } from '../contract.ts';
import type { Access } from './access.ts';
import { definitionOf } from './catalogue.ts';
import { coreVersions, group, groups, resources } from './discovery.ts';
import { badRequest, failure, notFound } from './errors.ts';
import { evict } from './evict.ts';
import type { FaultInjector } from './faults.ts';
import { handleFaults } from './faults-endpoint.ts';
import { openApiGroup, openApiIndex, openApiV2 } from './openapi.ts';
import { type Personality, versionInfo } from './personality.ts';
import { type ApiRequest, type Handler, type Reply, readObject } from './request.ts';
import { createResourceHandlers } from './resources.ts';
import { answerReview, isReview } from './reviews.ts';
import { nameOf, type ParsedPath, parseResourcePath, targetOf, verbOf } from './routes.ts';
import type { Extension } from './server.ts';
import type { RehearsalStore } from './store.ts';
import { serveLog } from './streams/log.ts';

export interface DispatchContext {
  store: RehearsalStore;
  runtime: PodRuntime;
  access: Access;
  personality: Personality;
  extensions: ReadonlyMap<string, Extension>;
  faults: FaultInjector;
  /** host:port clients reach the server at. */
  address: () => string;
}

const ok = (body: Json): Reply => ({ code: 200, body });

export function createDispatcher(context: DispatchContext): Handler {
  const { store, access } = context;
  const handlers = createResourceHandlers(store, access);

  return async (request, response) => {
    const { path } = request;
    if (path === '/rehearsal/v1/faults') return ok(handleFaults(context.faults, access, request));
    const extension = extensionFor(path);
    if (extension !== undefined) {
      const body = request.body.length === 0 ? undefined : readObject(request, 'Object');
      return ok((await extension({ method: request.method, path, query: request.query, body })) ?? {});
    }
    const parsed = parseResourcePath(path);
    if (parsed !== undefined) return resource(request, response, parsed);
    access.authorize(request.user, { verb: request.method.toLowerCase(), group: '', resource: '', path });
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) {
      return { code: 200, body: 'ok', contentType: 'text/plain; charset=utf-8' };
    }
    if (path === '/version' || path === '/version/') return ok(versionInfo(context.personality));
    if (path === '/openapi/v2') return { code: 200, ...openApiV2(request.raw.headers.accept ?? '') };
    const fixed = discovery(path);
    if (fixed !== undefined) return ok(fixed);
    throw unknownPath();
  };

  function discovery(path: string): Json {
    if (path === '/api' || path === '/api/') return coreVersions(context.address());
    if (path === '/apis' || path === '/apis/') return groups();
    if (path === '/openapi/v3') return openApiIndex();
    const schema = /^\/openapi\/v3\/(.+?)\/?$/.exec(path);
    if (schema !== null) return openApiGroup(schema[1] as string);
    if (path === '/api/v1' || path === '/api/v1/') return resources('v1');
    const version = /^\/apis\/([^/]+)\/([^/]+)\/?$/.exec(path);
    if (version !== null) return resources(`${version[1]}/${version[2]}`);
    const one = /^\/apis\/([^/]+)\/?$/.exec(path);
    if (one === null) return undefined;
    const found = group(one[1] as string);
    return found === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...found };
  }

  function extensionFor(path: string): Extension | undefined {
    for (const [prefix, handler] of context.extensions) {
      if (path === prefix || path.startsWith(`${prefix}/`)) return handler;
    }
    return undefined;
  }

  function review(request: ApiRequest, parsed: ParsedPath): Reply {
    if (request.method !== 'POST') throw notAllowed();
    const answer = answerReview(parsed, readObject(request, 'Review'), request.user, access);
    if (answer === undefined) throw unknownPath();
    return { code: 201, body: answer };
  }

  /** `kubectl create token`: the token of a ServiceAccount, good until the cluster ends. */
  function token(request: ApiRequest, namespace: string, name: string): Reply {
    if (store.peek('serviceaccounts', namespace, name) === undefined)
      throw notFound(definitionOf('serviceaccounts'), name);
    const asked = readObject(request, 'TokenRequest');
    const seconds = Number(asked.spec?.expirationSeconds ?? 3600);
    return {
      code: 201,
      body: {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name, namespace, creationTimestamp: null },
        spec: { audiences: ['https://kubernetes.default.svc.cluster.local'], expirationSeconds: seconds },
        status: {
          token: access.issueToken(namespace, name),
          expirationTimestamp: `${new Date(store.now().getTime() + seconds * 1000).toISOString().slice(0, 19)}Z`,
        },
      },
    };
  }

  function resource(
    request: ApiRequest,
    response: ServerResponse,
    parsed: ParsedPath,
  ): Reply | undefined | Promise<undefined> {
    const { method } = request;
    // A namespace's own requests are authorized in that namespace.
    const namespace = parsed.plural === 'namespaces' && parsed.group === '' ? parsed.name : parsed.namespace;
    const verb = verbOf(method, parsed, request.query);
    const asked = nameOf(verb, parsed, request.query);
    access.authorize(request.user, {
      verb,
      group: parsed.group,
      resource: parsed.plural,
      ...(namespace === undefined ? {} : { namespace }),
      ...(asked === undefined ? {} : { name: asked }),
      ...(parsed.subresource === undefined ? {} : { subresource: parsed.subresource }),
    });
    if (isReview(parsed)) return review(request, parsed);
    const target = targetOf(parsed);
    if (target === undefined) throw unknownPath();
    const { definition, subresource, name } = target;
    if (definition.namespaced && target.namespace === undefined && method !== 'GET') throw notAllowed();
    if (definition.resource === 'pods' && subresource === 'log' && method === 'GET') {
      return serveLog(store, context.runtime, request, response, target.namespace as string, name as string);
    }
    if (definition.resource === 'pods' && subresource === 'eviction' && method === 'POST') {
      return evict(store, request, target.namespace as string, name as string);
    }
    if (definition.resource === 'serviceaccounts' && subresource === 'token' && method === 'POST') {
      return token(request, target.namespace as string, name as string);
    }
    if (['exec', 'attach', 'portforward'].includes(subresource ?? '')) throw badRequest('Upgrade request required');
    switch (method) {
      case 'GET':
        return handlers.read(request, response, target);
      case 'POST':
        if (name !== undefined) throw notAllowed();
        return handlers.create(request, target);
      case 'PUT':
        if (name === undefined) throw notAllowed();
        return handlers.update(request, target);
      case 'PATCH':
        if (name === undefined) throw notAllowed();
        return handlers.patch(request, target);
      case 'DELETE':
        if (subresource !== undefined) throw notAllowed();
        return handlers.remove(request, target);
      default:
        throw notAllowed();
    }
  }
}

function unknownPath(): Error {
  return failure(404, 'NotFound', 'the server could not find the requested resource', {});
}

function notAllowed(): Error {
  return failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});
}
