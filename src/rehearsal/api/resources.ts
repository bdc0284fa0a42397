/** The verbs on stored objects: get, list, watch, create, update, patch, delete, and the `status` and `scale` subresources. */
import type { ServerResponse } from 'node:http';
import type { DeleteOptions, Json, KubeObject } from '../contract.ts';
import type { Access } from './access.ts';
import { definitionOf, EVENTS_VIEW, groupVersion, type ResourceDefinition } from './catalogue.ts';
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
import { scaleOf, withScale } from './scale.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';
import type { ApiWrite, RehearsalStore } from './store.ts';
import { table, wantsTable } from './tables.ts';
import { serveWatch } from './watch.ts';

/** Where a request points: a kind, and a namespace, a name and a subresource when it has them. */
export interface Target {
  definition: ResourceDefinition;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

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

  function write(request: ApiRequest, target: Target): ApiWrite {
    const dry = request.query.getAll('dryRun');
    if (dry.some((one) => one !== 'All')) {
      throw invalid('', '', '', [
        {
          reason: 'FieldValueNotSupported',
          message: `Unsupported value: ${JSON.stringify(dry[0])}: supported values: "All"`,
          field: 'dryRun',
        },
      ]);
    }
    return {
      manager: managerOf(request),
      dryRun: dry.length > 0,
      strict: request.query.get('fieldValidation') === 'Strict',
      ...(request.query.get('fieldValidation') === 'Ignore'
        ? {}
        : { warn: (message: string) => void request.warnings.push(message) }),
      ...(target.subresource === 'status' ? { subresource: 'status' as const } : {}),
    };
  }

  function selection(
    request: ApiRequest,
    target: Target,
  ): { matches: (object: KubeObject) => boolean; filtered: boolean } {
    const label = request.query.get('labelSelector') ?? '';
    const field = request.query.get('fieldSelector') ?? '';
    const labels = label === '' ? undefined : parseLabelSelector(label);
    const kind = target.definition.kind;
    const fields = field === '' ? undefined : parseFieldSelector(field, kind, groupVersion(target.definition));
    const name = target.name;
    return {
      matches: (object) =>
        (name === undefined || object.metadata.name === name) &&
        (labels === undefined || labels(object.metadata.labels ?? {})) &&
        (fields === undefined || fields(object)),
      filtered: labels !== undefined || fields !== undefined,
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

  /** The object of the body, with namespace and name of the path. */
  function fromBody(request: ApiRequest, target: Target): KubeObject {
    const { definition } = target;
    const object = readObject(request, definition.kind) as KubeObject;
    const gv = groupVersion(definition);
    if (object.kind !== undefined && object.kind !== definition.kind) {
      throw badRequest(
        `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}: no kind "${object.kind}" is registered for version "${object.apiVersion}" in scheme "pkg/api/legacyscheme/scheme.go:30"`,
      );
    }
    if (object.apiVersion !== undefined && object.apiVersion !== gv) {
      throw badRequest(
        `the API version in the data (${object.apiVersion}) does not match the expected API version (${gv})`,
      );
    }
    const metadata = { ...(object.metadata ?? {}) } as KubeObject['metadata'];
    if (definition.namespaced) {
      if (metadata.namespace !== undefined && metadata.namespace !== '' && metadata.namespace !== target.namespace) {
        throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
      }
      metadata.namespace = target.namespace as string;
    }
    if (target.name !== undefined) {
      if (metadata.name === undefined || metadata.name === '') {
        throw badRequest('name must be provided');
      }
      if (metadata.name !== target.name) {
        throw badRequest(
          `the name of the object (${metadata.name}) does not match the name on the URL (${target.name})`,
        );
      }
    }
    delete metadata.managedFields;
    return { ...object, metadata };
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
    const options = write(request, target);
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

  function deleteOptions(request: ApiRequest): DeleteOptions & { dryRun?: boolean } {
    const body = request.body.length === 0 ? {} : readObject(request, 'DeleteOptions');
    const grace = request.query.get('gracePeriodSeconds');
    const policy = request.query.get('propagationPolicy') ?? body.propagationPolicy;
    const orphan = request.query.get('orphanDependents') ?? body.orphanDependents;
    const dry = request.query.getAll('dryRun').concat(body.dryRun ?? []);
    const out: DeleteOptions & { dryRun?: boolean } = { dryRun: dry.includes('All') };
    if (body.preconditions?.uid) out.uid = body.preconditions.uid;
    if (body.preconditions?.resourceVersion) out.resourceVersion = body.preconditions.resourceVersion;
    if (grace !== null) out.gracePeriodSeconds = Number(grace);
    else if (body.gracePeriodSeconds !== undefined) out.gracePeriodSeconds = body.gracePeriodSeconds;
    if (policy) out.propagationPolicy = policy;
    else if (orphan === true || orphan === 'true') out.propagationPolicy = 'Orphan';
    return out;
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
      return present(request, target, store.createAs(storage(target), object, write(request, target)), 201);
    },
    update(request, target) {
      const options = write(request, target);
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

/** `fieldManager`, or what stands before the slash of the User-Agent. */
function managerOf(request: ApiRequest): string {
  const given = request.query.get('fieldManager');
  if (given !== null && given !== '') return given;
  const agent = String(request.raw.headers['user-agent'] ?? '');
  return agent.split('/')[0]?.slice(0, 128) || 'unknown';
}
