/** One HTTP request to a port of a pod, over a port-forward: the health endpoint of this very pod, not of "some" pod. */
import { request } from 'node:http';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Kube } from './types.ts';

export interface PodResponse {
  readonly status: number;
  /** At most 64 KiB, not sanitised. */
  readonly body: string;
  /** From the request's first byte to the last of the answer, without the set-up of the port-forward. Milliseconds. */
  readonly ms: number;
}

const BODY_LIMIT = 64 * 1024;

/** GET `path` from port `port` inside the pod. Errors: those of the port-forward, `timeout`, `stream-failed`. */
export async function getFromPod(
  kube: Kube,
  pod: { readonly namespace: string; readonly name: string; readonly port: number },
  path: string,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Result<PodResponse>> {
  const timeoutMs = options.timeoutMs ?? 5000;
  const stream = await kube.portForward(pod.namespace, pod.name, pod.port, { timeoutMs, signal: options.signal });
  if (!stream.ok) return stream;
  const duplex = stream.value;
  return new Promise<Result<PodResponse>>((resolve) => {
    const began = performance.now();
    let settled = false;
    const settle = (result: Result<PodResponse>) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      duplex.destroy();
      resolve(result);
    };
    const failed = (error: unknown) =>
      settle(
        fail(
          'stream-failed',
          `${pod.name}:${pod.port}${path} gives no answer: ${sanitiseLine((error as Error)?.message ?? error, 200)}`,
          {
            retryable: true,
          },
        ),
      );
    const timer = setTimeout(
      () =>
        settle(
          fail('timeout', `${pod.name}:${pod.port}${path} gives no answer within ${timeoutMs} ms`, { retryable: true }),
        ),
      timeoutMs,
    );
    duplex.on('error', failed);
    const outgoing = request(
      {
        method: 'GET',
        path,
        headers: { host: `localhost:${pod.port}`, connection: 'close', accept: '*/*' },
        // The port-forward is the connection; node's types want a socket, its HTTP client needs a Duplex only.
        createConnection: () => duplex as import('node:net').Socket,
      },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          if (body.length < BODY_LIMIT) body += chunk;
        });
        answer.on('end', () => settle(ok({ status: answer.statusCode ?? 0, body, ms: performance.now() - began })));
        answer.on('error', failed);
      },
    );
    outgoing.on('error', failed);
    outgoing.end();
  });
}
