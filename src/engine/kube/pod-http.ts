/** One HTTP request to a port of a pod, over a port-forward: the health endpoint of this very pod, not of "some" pod. */
import { Agent, request } from 'node:http';
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

/** An HTTP conversation with one pod over one port-forward. */
export interface PodHttp {
  /** Errors: `timeout`, `stream-failed`. After an error the conversation is over. */
  get(path: string, timeoutMs?: number): Promise<Result<PodResponse>>;
  close(): void;
}

/** Opens the port-forward. Errors: its own. */
export async function openPodHttp(
  kube: Kube,
  pod: { readonly namespace: string; readonly name: string; readonly port: number },
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Result<PodHttp>> {
  const timeoutMs = options.timeoutMs ?? 5000;
  const stream = await kube.portForward(pod.namespace, pod.name, pod.port, { timeoutMs, signal: options.signal });
  if (!stream.ok) return stream;
  const duplex = stream.value;
  let broken: Error | undefined;
  duplex.on('error', (error) => {
    broken = error;
  });
  // One connection, kept: a second one would be a second port-forward, which this agent cannot open.
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let given = false;
  const createConnection = () => {
    if (given) throw new Error('the connection to the pod was closed');
    given = true;
    // The port-forward is the connection; node's types want a socket, its HTTP client needs no more than a Duplex.
    return duplex as import('node:net').Socket;
  };
  (agent as unknown as { createConnection: typeof createConnection }).createConnection = createConnection;
  return ok({
    close() {
      agent.destroy();
      duplex.destroy();
    },
    get(path, limitMs = timeoutMs) {
      return new Promise<Result<PodResponse>>((resolve) => {
        const began = performance.now();
        const where = `${pod.name}:${pod.port}${path}`;
        const failed = (error: unknown) => {
          clearTimeout(timer);
          const why = sanitiseLine(broken?.message ?? (error as Error)?.message ?? error, 200);
          resolve(fail('stream-failed', `${where} gives no answer: ${why}`, { retryable: true }));
        };
        const outgoing = request(
          { method: 'GET', path, agent, headers: { host: `localhost:${pod.port}`, accept: '*/*' } },
          (answer) => {
            let body = '';
            answer.setEncoding('utf8');
            answer.on('data', (chunk: string) => {
              if (body.length < BODY_LIMIT) body += chunk;
            });
            answer.on('error', failed);
            answer.on('end', () => {
              clearTimeout(timer);
              resolve(ok({ status: answer.statusCode ?? 0, body, ms: performance.now() - began }));
            });
          },
        );
        const timer = setTimeout(() => {
          outgoing.destroy();
          resolve(fail('timeout', `${where} gives no answer within ${limitMs} ms`, { retryable: true }));
        }, limitMs);
        outgoing.on('error', failed);
        outgoing.end();
      });
    },
  });
}

/** One GET: opens, asks, closes. */
export async function getFromPod(
  kube: Kube,
  pod: { readonly namespace: string; readonly name: string; readonly port: number },
  path: string,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Result<PodResponse>> {
  const opened = await openPodHttp(kube, pod, options);
  if (!opened.ok) return opened;
  try {
    return await opened.value.get(path);
  } finally {
    opened.value.close();
  }
}
