/** What a request asks of stored objects, read from its path, query, headers and body; nothing here touches the store. */
import type { DeleteOptions, KubeObject } from '../contract.ts';
import { groupVersion, type ResourceDefinition } from './catalogue.ts';
import { badRequest, invalid } from './errors.ts';
import { type ApiRequest, readObject } from './request.ts';
import { parseFieldSelector, parseLabelSelector } from './selectors.ts';
import type { ApiWrite } from './store.ts';

/** Where a request points: a kind, and a namespace, a name and a subresource when it has them. */
export interface Target {
  definition: ResourceDefinition;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
}

/** How a request wants its object to be written. */
export function writeOptions(request: ApiRequest, target: Target): ApiWrite {
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

/** Which objects a request is about, by name, labels and fields. */
export function selection(
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

/** The object of the body, with namespace and name of the path. */
export function fromBody(request: ApiRequest, target: Target): KubeObject {
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
      throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${target.name})`);
    }
  }
  delete metadata.managedFields;
  return { ...object, metadata };
}

/** How a request wants an object to go: the query wins over the body. */
export function deleteOptions(request: ApiRequest): DeleteOptions & { dryRun?: boolean } {
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

/** `fieldManager`, or what stands before the slash of the User-Agent. */
function managerOf(request: ApiRequest): string {
  const given = request.query.get('fieldManager');
  if (given !== null && given !== '') return given;
  const agent = String(request.raw.headers['user-agent'] ?? '');
  return agent.split('/')[0]?.slice(0, 128) || 'unknown';
}
