/** The verbs on stored objects: get, list, watch, create, update, patch, delete, and the `status` and `scale` subresources. */
import type { ServerResponse } from 'node:http';
import type { Json, KubeObject } from '../contract.ts';
import type { Access } from './access.ts';
import { definitionOf, EVENTS_VIEW, groupVersion } from './catalogue.ts';
import { badRequest, failure, invalid, invalidValue, isApiStatusError, notFound } from './errors.ts';
import { refuseEscalation } from './escalation.ts';
import { toCoreEvent, toEventsView } from './events-view.ts';
import { listObject, page } from './lists.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { applyConfiguration } from './patch/server-side-apply.ts';
import { applyStrategicMerge } from './patch/strategic-merge.ts';
import { copy } from './registry/canonical.ts';
import { type ApiRequest, type Reply, readObject, readPatch } from './request.ts';
import { deleteOptions, fromBody, selection, type Target, writeOptions } from './request-options.ts';
import { scaleOf, withScale } from './scale.ts';
import type { ApiWrite, RehearsalStore } from './store.ts';
import { table, wantsTable } from './tables.ts';
import { serveWatch } from './watch.ts';

/** Deletions of these answer with the object, all others with a Status (`ReturnDeletedObject` in their registries). */
const RETURNS_OBJECT = new Set([
  'pods',
  'services',
  'serviceaccounts',
  'persistentvolumeclaims',
  'resourcequotas',
  'namespaces',
]);

export interface ResourceHandlers {
  read(request: ApiRequest, response: ServerResponse, target: Target): Reply | undefined;
  create(request: ApiRequest, target: Target): Reply;
  update(request: ApiRequest, target: Target): Reply;
  patch(request: ApiRequest, target: Target): Reply;
  remove(request: ApiRequest, target: Target): Reply;
}

export function createResourceHandlers(store: RehearsalStore, access: Access): ResourceHandlers {
  /** `events.k8s.io` is a view of the core events. */
  const storage = (target: Target): string =>
    target.definition.resource === EVENTS_VIEW ? 'events' : target.definition.resource;
  const isView = (target: Target): boolean => target.definition.resource === EVENTS_VIEW;
  const shown = (target: Target, object: KubeObject): KubeObject => (isView(target) ? toEventsView(object) : object);
  const stored = (target: Target, object: KubeObject): KubeObject => (isView(target) ? toCoreEvent(object) : object);

  function current(target: Target): KubeObject {
    const found = store.peek(storage(target), target.namespace, target.name as string);
    if (found === undefined) throw notFound(target.definition, target.name as string);
    return found;
  }

  function present(request: ApiRequest, target: Target, object: KubeObject, code: number): Reply {
    const answer = shown(target, object);
    if (!wantsTable(String(request.raw.headers.accept ?? ''))) return { code, body: answer };
    const include = request.query.get('includeObject') ?? undefined;
    return {
      code,
      body: table(object.kind, [object], { resourceVersion: object.metadata.resourceVersion }, store.now(), include),
    };
  }

  /** What RBAC asks beyond the verb: `create` of an update that creates, and no more rights than one's own in a Role. */
  function guard(request: ApiRequest, target: Target, object: KubeObject, live: KubeObject | undefined): void {
    const { definition, namespace, name, subresource } = target;
    if (live === undefined && name !== undefined) {
      access.authorize(request.user, {
        verb: 'create',
        group: definition.group,
        resource: definition.plural,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(subresource === undefined ? {} : { subresource }),
      });
    }
    refuseEscalation({ access, store, definitionOf }, definition, request.user, object, live);
  }

  function list(request: ApiRequest, target: Target): Reply {
    const { matches, filtered } = selection(request, target);
    const objects = store.each(storage(target), target.namespace).filter(matches);
    const found = page(objects, {
      limit: Number(request.query.get('limit') ?? 0),
      token: request.query.get('continue'),
      revision: store.revision(),
      oldest: store.oldest(),
      filtered,
    });
    const { definition } = target;
    if (wantsTable(String(request.raw.headers.accept ?? ''))) {
      const include = request.query.get('includeObject') ?? undefined;
      return { code: 200, body: table(definition.kind, found.objects, found.metadata, store.now(), include) };
    }
    found.objects = found.objects.map((object) => shown(target, object));
    return { code: 200, body: listObject(definition.kind, groupVersion(definition), found, definition.custom) };
  }

  function watch(request: ApiRequest, response: ServerResponse, target: Target): undefined {
    const { query } = request;
    const initial = query.get('sendInitialEvents') === 'true';
    if (initial && query.get('resourceVersionMatch') !== 'NotOlderThan') {
      throw invalid('ListOptions', 'meta.k8s.io', '', [
        {
          reason: 'FieldValueForbidden',
          message: 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
          field: 'resourceVersionMatch',
        },
      ]);
    }
    const asTable = wantsTable(String(request.raw.headers.accept ?? ''));
    const include = query.get('includeObject') ?? undefined;
    serveWatch(
      {
        store,
        resource: storage(target),
        namespace: target.namespace,
        matches: selection(request, target).matches,
        present: (object) =>
          asTable
            ? table(object.kind, [object], { resourceVersion: object.metadata.resourceVersion }, store.now(), include)
            : shown(target, object),
        bookmark: asTable
          ? { kind: 'Table', apiVersion: 'meta.k8s.io/v1' }
          : { kind: target.definition.kind, apiVersion: groupVersion(target.definition) },
        resourceVersion: query.get('resourceVersion'),
        sendInitialEvents: initial,
        bookmarks: query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1',
        timeoutSeconds: query.has('timeoutSeconds') ? Number(query.get('timeoutSeconds')) : undefined,
        faults: request.faults,
      },
      response,
    );
    return undefined;
  }

  function applied(request: ApiRequest, target: Target, options: ApiWrite): Reply {
    const { definition } = target;
    const config = readPatch(request, 'application/apply-patch+yaml') as KubeObject;
    const manager = request.query.get('fieldManager');
    if (manager === null || manager === '') {
      throw invalid('PatchOptions', 'meta.k8s.io', '', [
        { reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: 'fieldManager' },
      ]);
    }
    if (config?.apiVersion === undefined || config.kind === undefined) {
      throw badRequest(`error decoding YAML: Object 'Kind' is missing in '${JSON.stringify(config)}'`);
    }
    if (config.metadata?.managedFields !== undefined && config.metadata.managedFields.length > 0) {
      throw badRequest('metadata.managedFields must be nil');
    }
    const name = config.metadata?.name ?? target.name;
    if (name !== target.name) throw badRequest(`name in URL does not match name in Patch object: ${name}`);
    const live = store.peek(storage(target), target.namespace, target.name as string);
    const time = `${store.now().toISOString().slice(0, 19)}Z`;
    const { object, managedFields } = applyConfiguration(
      live,
      {
        ...config,
        metadata: {
          ...config.metadata,
          name: target.name as string,
          ...(definition.namespaced ? { namespace: target.namespace } : {}),
        },
      },
      {
        manager,
        force: request.query.get('force') === 'true',
        time,
        ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
      },
    );
    const write = { ...options, manager, managedFields };
    if (live === undefined) {
      if (target.subresource !== undefined) throw notFound(definition, target.name as string);
      guard(request, target, object, undefined);
      return present(request, target, store.createAs(storage(target), object, write), 201);
    }
    guard(request, target, object, live);
    return present(request, target, store.updateAs(storage(target), object, write), 200);
  }

  function patched(target: Target, type: string, document: Json, patch: Json): Json {
    switch (type) {
      case 'application/json-patch+json':
        return applyJsonPatch(document, patch);
      case 'application/merge-patch+json':
      case 'application/strategic-merge-patch+json':
        if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) {
          const go = Array.isArray(patch) ? 'array' : typeof patch;
          throw badRequest(
            `error decoding patch: json: cannot unmarshal ${go} into Go value of type map[string]interface {}`,
          );
        }
        return type === 'application/merge-patch+json'
          ? applyMergePatch(document, patch)
          : applyStrategicMerge(target.definition.kind, document, patch);
      default:
        throw new Error(`unreachable patch type ${type}`);
    }
  }

  function patch(request: ApiRequest, target: Target): Reply {
    const type =
      String(request.raw.headers['content-type'] ?? '')
        .split(';')[0]
        ?.trim() ?? '';
    const supported = [
      'application/json-patch+json',
      'application/merge-patch+json',
      ...(target.definition.custom ? [] : ['application/strategic-merge-patch+json']),
      'application/apply-patch+yaml',
    ];
    if (!supported.includes(type)) {
      throw failure(
        415,
        'UnsupportedMediaType',
        `the body of the request was in an unknown format - accepted media types include: ${supported.join(', ')}`,
      );
    }
    const options = writeOptions(request, target);
    if (type === 'application/apply-patch+yaml' && target.subresource !== 'scale')
      return applied(request, target, options);
    const live = current(target);
    const document = target.subresource === 'scale' ? scaleOf(live) : shown(target, live);
    const body = readPatch(request, type);
    const next = patched(target, type, document, body);
    if (target.subresource === 'scale') return scaled(target, live, next, options);
    try {
      // A patch shares what it didn't touch with the stored object: never delete in place.
      const { managedFields: _tracked, ...metadata } = next.metadata ?? {};
      const object = stored(target, { ...next, metadata });
      guard(request, target, object, live);
      return present(request, target, store.updateAs(storage(target), object, options), 200);
    } catch (error) {
      // A patched object that no longer decodes is refused as an invalid patch, not as a bad request (recording 12).
      if (isApiStatusError(error) && 'decoding' in error) {
        throw invalid('', '', '', [invalidValue('patch', JSON.stringify(next), String(error.decoding))]);
      }
      throw error;
    }
  }

  function scaled(target: Target, live: KubeObject, scale: Json, options: ApiWrite): Reply {
    const next = withScale(live, scale);
    return { code: 200, body: scaleOf(store.updateAs(storage(target), next, { ...options, subresource: 'scale' })) };
  }

  return {
    read(request, response, target) {
      const watching = ['true', '1'].includes(request.query.get('watch') ?? '');
      if (watching) return watch(request, response, target);
      if (target.name === undefined) return list(request, target);
      const found = current(target);
      if (target.subresource === 'scale') return { code: 200, body: scaleOf(found) };
      return present(request, target, found, 200);
    },
    create(request, target) {
      const object = stored(target, fromBody(request, target));
      guard(request, target, object, undefined);
      return present(request, target, store.createAs(storage(target), object, writeOptions(request, target)), 201);
    },
    update(request, target) {
      const options = writeOptions(request, target);
      if (target.subresource === 'scale') {
        return scaled(target, current(target), readObject(request, 'Scale'), options);
      }
      const object = stored(target, fromBody(request, target));
      const live = store.peek(storage(target), target.namespace, target.name as string);
      if (target.subresource === 'finalize') return present(request, target, copy(current(target)), 200);
      if (live === undefined && target.definition.createOnUpdate && target.subresource === undefined) {
        guard(request, target, object, undefined);
        return present(request, target, store.createAs(storage(target), object, options), 201);
      }
      if (live !== undefined) guard(request, target, object, live);
      return present(request, target, store.updateAs(storage(target), object, options), 200);
    },
    patch,
    remove(request, target) {
      const options = deleteOptions(request);
      const { definition } = target;
      if (target.name === undefined) {
        const { matches } = selection(request, target);
        const doomed = store.each(storage(target), target.namespace).filter(matches);
        for (const object of doomed) {
          const { namespace, name } = object.metadata;
          store.delete(storage(target), namespace, name, options);
        }
        const metadata = { resourceVersion: String(store.revision()) };
        return {
          code: 200,
          body: listObject(definition.kind, groupVersion(definition), { objects: doomed, metadata }, definition.custom),
        };
      }
      const object = store.delete(storage(target), target.namespace, target.name, options);
      const waits = store.peek(storage(target), target.namespace, target.name) !== undefined && !options.dryRun;
      if (waits || RETURNS_OBJECT.has(definition.resource)) return { code: 200, body: shown(target, object) };
      const details: Json = { name: target.name };
      if (definition.group !== '') details.group = definition.group;
      details.kind = definition.plural;
      details.uid = object.metadata.uid;
      return { code: 200, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details } };
    },
  };
}
