/** `pods/log`: plain text, one line each, followed until the container ends when asked to. */
import type { ServerResponse } from 'node:http';
import type { PodRuntime } from '../../contract.ts';
import { invalid, invalidValue } from '../errors.ts';
import type { ApiRequest } from '../request.ts';
import type { RehearsalStore } from '../store.ts';
import { containerOf, podOf, requireHost } from './pods.ts';

/** Serves the log into `response`. Errors before the first line become a Status; later ones end the stream. */
export async function serveLog(
  store: RehearsalStore,
  runtime: PodRuntime,
  request: ApiRequest,
  response: ServerResponse,
  namespace: string,
  name: string,
): Promise<undefined> {
  const { query } = request;
  const pod = podOf(store, namespace, name);
  const container = containerOf(pod, query.get('container'));
  requireHost(pod);
  const flag = (key: string): boolean => ['true', '1'].includes(query.get(key) ?? '');
  const number = (key: string): number | undefined => {
    const text = query.get(key);
    if (text === null) return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0) {
      throw invalid('PodLogOptions', '', name, [invalidValue(key, value, 'must be greater than or equal to 0')]);
    }
    return value;
  };
  const tailLines = number('tailLines');
  const sinceSeconds = number('sinceSeconds');
  const limitBytes = number('limitBytes');
  const sinceText = query.get('sinceTime');
  const sinceTime =
    sinceText !== null
      ? new Date(sinceText)
      : sinceSeconds === undefined
        ? undefined
        : new Date(store.now().getTime() - sinceSeconds * 1000);
  const timestamps = flag('timestamps');
  const aborter = new AbortController();
  response.on('close', () => aborter.abort());

  const lines = runtime.log(namespace, name, container, {
    previous: flag('previous'),
    follow: flag('follow'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(sinceTime === undefined ? {} : { sinceTime }),
    signal: aborter.signal,
  });
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  const iterator = lines[Symbol.asyncIterator]();
  // The first step tells whether there is a log at all; a refusal can still become a Status then.
  let step = iterator.next();
  const started = await Promise.race([step.then(() => true), immediate()]);
  if (!started && flag('follow')) head(response);
  for (;;) {
    const { done, value } = await step;
    if (done) break;
    if (!response.headersSent) head(response);
    let bytes = Buffer.from(`${timestamps ? `${nanoseconds(value.at)} ` : ''}${value.line}\n`);
    if (bytes.length > left) bytes = bytes.subarray(0, left);
    left -= bytes.length;
    response.write(bytes);
    if (left <= 0) {
      aborter.abort();
      break;
    }
    step = iterator.next();
  }
  if (!response.headersSent) head(response);
  response.end();
  return undefined;
}

function head(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
}

/** `false` after the errors that are thrown at once had their turn. */
function immediate(): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), 20));
}

function nanoseconds(at: Date): string {
  return at.toISOString().replace('Z', '000000Z');
}
