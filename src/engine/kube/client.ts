/** The `Kube` port over the transport: which URL, which content type, which limit. */
import type { IncomingMessage } from 'node:http';
import { err, fail, ok, type Result, type WizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { onAbort } from './abort.ts';
import { collectionPath, objectPath, ref as refTo } from './refs.ts';
import { execInPod, forwardPort } from './streams.ts';
import type { Call, Transport } from './transport.ts';
import type {
  ApplyOptions,
  CallOptions,
  FollowLogOptions,
  Json,
  JsonPatchOp,
  Kube,
  KubeIdentity,
  KubeList,
  KubeObject,
  KubeVersion,
  ListRef,
  LogOptions,
  Ref,
  WriteOptions,
} from './types.ts';
import { startWatch } from './watch.ts';

export const FIELD_MANAGER = 'pgb-wizard';

const GET_MS = 10_000;
const LIST_MS = 30_000;
// Above the API server's own cap of 34 s for writes: an answer that can still come is worth waiting for.
const WRITE_MS = 45_000;
const PAGE = 500;
const LOG_BYTES = 1024 * 1024;

export const describeRef = (of: Ref): string => `${of.kind.toLowerCase()}/${of.name}`;

export function createKube(transport: Transport, identity: KubeIdentity): Kube {
  const read = (call: Omit<Call, 'method' | 'timeoutMs'>, options: CallOptions | undefined, limit: number) =>
    transport.json({
      method: 'GET',
      timeoutMs: options?.timeoutMs ?? limit,
      ...(options?.signal ? { signal: options.signal } : {}),
      ...call,
    });

  const write = (
    method: Call['method'],
    path: string,
    of: Ref,
    body: Json,
    options: WriteOptions & { force?: boolean },
    more: Partial<Call>,
  ): Promise<Result<KubeObject>> =>
    transport.json({
      method,
      path,
      query: {
        fieldManager: options.fieldManager ?? FIELD_MANAGER,
        fieldValidation: 'Strict',
        dryRun: options.dryRun ? 'All' : undefined,
        force: options.force,
      },
      body,
      what: `${VERB[method]} ${describeRef(of)}`,
      kind: `${method} ${of.plural}`,
      timeoutMs: options.timeoutMs ?? WRITE_MS,
      ...(options.signal ? { signal: options.signal } : {}),
      ...(options.auditId ? { auditId: options.auditId } : {}),
      ...(options.again ? { again: options.again } : {}),
      ...(options.onWarning ? { onWarning: options.onWarning } : {}),
      ...more,
    });

  const listPages: Kube['listPages'] = async (of, onPage, options) => {
    // A continue token expires after some minutes (410): start again, once, with what is left to lose being time.
    for (let restart = 0; ; restart++) {
      let token: string | undefined;
      let resourceVersion = '';
      let failed: WizardError | undefined;
      do {
        const page: Result<Json> = await read(
          {
            path: collectionPath(of),
            query: {
              limit: options?.pageSize ?? PAGE,
              continue: token,
              labelSelector: of.labelSelector,
              fieldSelector: of.fieldSelector,
            },
            what: `list ${of.plural}`,
            kind: `LIST ${of.plural}`,
          },
          options,
          LIST_MS,
        );
        if (!page.ok) {
          failed = page.error;
          break;
        }
        const items: KubeObject[] = page.value.items ?? [];
        // Items of a list come without their type (recordings/kubernetes-1.36/15).
        for (const item of items) {
          item.apiVersion ??= of.apiVersion;
          item.kind ??= of.kind;
        }
        onPage(items);
        resourceVersion = page.value.metadata?.resourceVersion ?? '';
        token = page.value.metadata?.continue || undefined;
      } while (token !== undefined);
      if (failed === undefined) return ok({ resourceVersion });
      if (failed.details?.status === 410 && restart === 0) continue;
      return err(failed);
    }
  };

  const list = async (of: ListRef, options?: CallOptions & { pageSize?: number }): Promise<Result<KubeList>> => {
    // By uid: a list that started again delivers its first pages twice.
    const items = new Map<string, KubeObject>();
    const paged = await listPages(
      of,
      (page) => {
        for (const item of page) items.set(item.metadata.uid ?? item.metadata.name, item);
      },
      options,
    );
    return paged.ok ? ok({ items: [...items.values()], resourceVersion: paged.value.resourceVersion }) : paged;
  };

  const logCall = (namespace: string, pod: string, options: LogOptions & { follow?: boolean }): Call => ({
    method: 'GET',
    path: `${objectPath(refTo('Pod', namespace, pod))}/log`,
    query: {
      container: options.container,
      tailLines: options.tail,
      previous: options.previous || undefined,
      sinceSeconds: options.sinceSeconds,
      limitBytes: options.follow ? undefined : (options.limitBytes ?? LOG_BYTES),
      follow: options.follow || undefined,
      timestamps: options.timestamps || undefined,
    },
    what: `read the log of pod/${pod}`,
    kind: 'GET pods/log',
    timeoutMs: options.timeoutMs ?? GET_MS,
    ...(options.signal ? { signal: options.signal } : {}),
  });

  let version: KubeVersion | undefined;

  return {
    ref: identity,
    async version(signal) {
      if (version) return ok(version);
      const got = await read(
        { path: '/version', what: 'read the version', kind: 'GET version' },
        signal ? { signal } : {},
        GET_MS,
      );
      if (!got.ok) return got;
      version = {
        gitVersion: sanitiseLine(got.value.gitVersion ?? 'unknown', 60),
        major: Number.parseInt(got.value.major, 10) || 0,
        minor: Number.parseInt(got.value.minor, 10) || 0,
      };
      return ok(version);
    },
    get: (of, options) =>
      read({ path: objectPath(of), what: `read ${describeRef(of)}`, kind: `GET ${of.plural}` }, options, GET_MS),
    list,
    listPages,
    create: (of, object, options = {}) =>
      write('POST', collectionPath(of), of, object, options, { resendSafe: object.metadata?.name !== undefined }),
    replace: (of, object, options = {}) =>
      write('PUT', objectPath(of), of, object, options, {
        resendSafe: object.metadata?.resourceVersion !== undefined,
      }),
    patch: (of, ops, options = {}) =>
      write('PATCH', objectPath(of), of, ops, options, {
        contentType: 'application/json-patch+json',
        resendSafe: ops.some((o: JsonPatchOp) => o.op === 'test'),
      }),
    mergePatch: (of, body, options = {}) =>
      write('PATCH', objectPath(of), of, body, options, {
        contentType: 'application/merge-patch+json',
        resendSafe: true,
      }),
    apply: (of, object, options: ApplyOptions = {}) =>
      // JSON is valid YAML, so the body needs no YAML writer.
      write(
        'PATCH',
        objectPath(of),
        of,
        object,
        { ...options, force: options.force === true },
        {
          contentType: 'application/apply-patch+yaml',
          resendSafe: true,
        },
      ),
    async delete(of, options = {}) {
      const preconditions = {
        ...(options.uid ? { uid: options.uid } : {}),
        ...(options.resourceVersion ? { resourceVersion: options.resourceVersion } : {}),
      };
      const sent = await transport.json({
        method: 'DELETE',
        path: objectPath(of),
        query: { dryRun: options.dryRun ? 'All' : undefined },
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          ...(Object.keys(preconditions).length > 0 ? { preconditions } : {}),
          ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
          ...(options.propagationPolicy ? { propagationPolicy: options.propagationPolicy } : {}),
        },
        what: `delete ${describeRef(of)}`,
        kind: `DELETE ${of.plural}`,
        timeoutMs: options.timeoutMs ?? WRITE_MS,
        resendSafe: options.uid !== undefined,
        ...(options.signal ? { signal: options.signal } : {}),
        ...(options.auditId ? { auditId: options.auditId } : {}),
        ...(options.again ? { again: options.again } : {}),
      });
      return sent.ok ? ok(undefined) : sent;
    },
    watch(target, options) {
      const { name, ...rest } = target as Ref & ListRef;
      const selected: ListRef = name === undefined ? rest : { ...rest, fieldSelector: `metadata.name=${name}` };
      return startWatch({ transport, list: (of, signal) => list(of, { signal }) }, selected, options);
    },
    logs: (namespace, pod, options = {}) =>
      transport.text({ ...logCall(namespace, pod, options), limitBytes: options.limitBytes ?? LOG_BYTES }),
    async followLogs(namespace, pod, options) {
      const opened = await transport.open(logCall(namespace, pod, { ...options, follow: true }));
      return opened.ok ? followLines(opened.value, options) : opened;
    },
    exec: (namespace, pod, container, command, options) =>
      execInPod(transport, namespace, pod, container, command, options),
    portForward: (namespace, pod, port, options) => forwardPort(transport, namespace, pod, port, options),
    health: () => transport.health(),
    requestCounts: () => transport.counts(),
    warnings: () => transport.warnings(),
    close: () => transport.close(),
  };
}

const VERB = { GET: 'read', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;
/** A line of a log longer than this is cut by the sanitiser anyway. */
const LONGEST_LINE = 64 * 1024;

function followLines(response: IncomingMessage, options: FollowLogOptions): Promise<Result<void>> {
  return new Promise((resolve) => {
    let rest = '';
    let failure: string | undefined;
    const off = onAbort([options.signal], () => response.destroy());
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LONGEST_LINE) rest = rest.slice(0, LONGEST_LINE);
      for (const line of lines) options.onLine(sanitiseLine(line));
    });
    response.on('error', (error) => {
      failure = error.message;
    });
    response.on('close', () => {
      off();
      if (rest !== '') options.onLine(sanitiseLine(rest));
      if (options.signal.aborted || response.complete) resolve(ok(undefined));
      else
        resolve(
          fail('stream-failed', `the log broke off: ${sanitiseLine(failure ?? 'connection lost', 200)}`, {
            retryable: true,
          }),
        );
    });
  });
}
