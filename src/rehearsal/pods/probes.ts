/** Startup, liveness and readiness probes, with the kubelet's defaults and messages. */
import { get as httpGet } from 'node:http';
import { connect } from 'node:net';
import type { Json, KubeObject } from '../contract.ts';

export type ProbeKind = 'Readiness' | 'Liveness' | 'Startup';
type ProbeResult = { ok: true } | { ok: false; message: string };

export interface ProbeTarget {
  pod: KubeObject;
  container: Json;
  ip: string;
  /** The number under which a container port is really bound. */
  port(containerPort: number): number;
  exec(command: string[], timeoutMs: number): Promise<{ exitCode: number; output: string }>;
}

/** Runs one probe until it is stopped; `changed` is called on each turn of the result, `failed` on each failure. */
export function startProbe(
  kind: ProbeKind,
  probe: Json,
  target: ProbeTarget,
  changed: (ok: boolean) => void,
  failed: (message: string) => void,
): () => void {
  const period = (probe.periodSeconds ?? 10) * 1000;
  const failureThreshold: number = probe.failureThreshold ?? 3;
  const successThreshold: number = probe.successThreshold ?? 1;
  let good = 0;
  let bad = 0;
  let state: boolean | undefined;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const turnTo = (next: boolean) => {
    state = next;
    changed(next);
  };
  const turn = async () => {
    const result = await probeOnce(probe, target);
    if (stopped) return;
    if (result.ok) {
      good++;
      bad = 0;
      if (state !== true && good >= successThreshold) turnTo(true);
    } else {
      bad++;
      good = 0;
      failed(`${kind} probe failed: ${result.message}`);
      if (state !== false && bad >= failureThreshold) turnTo(false);
    }
    // Until it is ready for the first time a container is asked more often than its period says, so that a rehearsal does not wait.
    const soon = state !== true && kind !== 'Liveness' ? Math.min(period, 250) : period;
    timer = setTimeout(() => void turn(), soon);
  };
  timer = setTimeout(() => void turn(), (probe.initialDelaySeconds ?? 0) * 1000 + 10);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

async function probeOnce(probe: Json, target: ProbeTarget): Promise<ProbeResult> {
  const timeout = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.httpGet) return probeHttp(probe.httpGet, target, timeout);
  if (probe.tcpSocket)
    return probeTcp(target.ip, target.port(portNumber(probe.tcpSocket.port, target.container)), timeout);
  if (probe.exec) {
    const { exitCode, output } = await target.exec(probe.exec.command ?? [], timeout);
    return exitCode === 0 ? { ok: true } : { ok: false, message: output.trim() };
  }
  return { ok: true };
}

function portNumber(port: number | string, container: Json): number {
  if (typeof port === 'number') return port;
  return (container.ports ?? []).find((item: Json) => item.name === port)?.containerPort ?? Number(port);
}

function probeHttp(get: Json, target: ProbeTarget, timeout: number): Promise<ProbeResult> {
  const port = portNumber(get.port, target.container);
  const headers = Object.fromEntries((get.httpHeaders ?? []).map((header: Json) => [header.name, header.value]));
  const url = `http://${target.ip}:${port}${get.path ?? '/'}`;
  return new Promise((resolve) => {
    const request = httpGet(
      {
        host: target.ip,
        port: target.port(port),
        path: get.path ?? '/',
        headers: { 'user-agent': 'kube-probe/1.36', ...headers },
        timeout,
        agent: false,
      },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        resolve(
          status >= 200 && status < 400
            ? { ok: true }
            : { ok: false, message: `HTTP probe failed with statuscode: ${status}` },
        );
      },
    );
    request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
    request.on('error', (error: NodeJS.ErrnoException) =>
      resolve({
        ok: false,
        message:
          error.code === 'ETIMEDOUT'
            ? `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`
            : `Get "${url}": dial tcp ${target.ip}:${port}: connect: ${refusal(error)}`,
      }),
    );
  });
}

function probeTcp(ip: string, port: number, timeout: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port, timeout });
    const done = (result: ProbeResult) => {
      socket.destroy();
      resolve(result);
    };
    socket.on('connect', () => done({ ok: true }));
    socket.on('timeout', () => done({ ok: false, message: `dial tcp ${ip}:${port}: i/o timeout` }));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      done({ ok: false, message: `dial tcp ${ip}:${port}: connect: ${refusal(error)}` }),
    );
  });
}

const refusal = (error: NodeJS.ErrnoException): string =>
  error.code === 'ECONNREFUSED' ? 'connection refused' : error.message;
