/**
 * Credential plugins of a kubeconfig (`users[].user.exec`): run one at a time, with a limit, without a terminal, with
 * KUBERNETES_EXEC_INFO, kept until 60 s before they expire. client-node's own runner does none of that.
 * Protocol: kubernetes.io/docs/reference/config-api/client-authentication.v1.
 */
import { spawn } from 'node:child_process';
import { sanitiseLine } from '../sanitise.ts';
import { Secret } from '../secret.ts';
import type { Json } from './types.ts';

export interface ExecCredential {
  readonly token?: Secret;
  readonly cert?: string;
  readonly key?: string;
  /** Ms since the epoch; absent: good until refused. */
  readonly expiresAt?: number;
}

const LIMIT_MS = 60_000;
const EARLY_MS = 60_000;

export class ExecPlugin {
  readonly #exec: Json;
  readonly #cluster: Json;
  #running: Promise<ExecCredential> | undefined;
  #cached: ExecCredential | undefined;

  /** `exec`: the kubeconfig's block · `cluster`: for `provideClusterInfo`. */
  constructor(exec: Json, cluster: Json) {
    this.#exec = exec;
    this.#cluster = cluster;
  }

  forget(): void {
    this.#cached = undefined;
  }

  /** The credential, from the cache while it is good. Rejects with an Error whose message is safe to show. */
  async get(): Promise<ExecCredential> {
    const cached = this.#cached;
    if (cached && (cached.expiresAt === undefined || cached.expiresAt - EARLY_MS > Date.now())) return cached;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    this.#cached = await this.#running;
    return this.#cached;
  }

  async #run(): Promise<ExecCredential> {
    const { command, args = [], env = [] } = this.#exec;
    const apiVersion: string = this.#exec.apiVersion ?? 'client.authentication.k8s.io/v1';
    if (this.#exec.interactiveMode === 'Always') {
      throw new Error(`the credential plugin ${sanitiseLine(command, 80)} wants a terminal (interactiveMode: Always)`);
    }
    const info = {
      apiVersion,
      kind: 'ExecCredential',
      spec: { interactive: false, ...(this.#exec.provideClusterInfo ? { cluster: this.#cluster } : {}) },
    };
    const variables: NodeJS.ProcessEnv = { ...process.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
    for (const entry of env ?? []) variables[entry.name] = entry.value;
    const { code, stdout, stderr } = await run(command, args ?? [], variables);
    if (code !== 0) {
      const said = sanitiseLine(stderr.trim() || `exit code ${code}`, 500);
      const hint = this.#exec.installHint && code === null ? ` ${sanitiseLine(this.#exec.installHint, 300)}` : '';
      throw new Error(`the credential plugin ${sanitiseLine(command, 80)} failed: ${said}${hint}`);
    }
    let status: Json;
    try {
      status = JSON.parse(stdout).status;
    } catch {
      throw new Error(`the credential plugin ${sanitiseLine(command, 80)} printed no ExecCredential`);
    }
    // As kubectl: without this the next request would go out as nobody, and be refused for the wrong reason.
    if (!status?.token && !(status?.clientCertificateData && status?.clientKeyData)) {
      throw new Error(
        `the credential plugin ${sanitiseLine(command, 80)} gave neither a token nor a certificate${stderr.trim() ? `: ${sanitiseLine(stderr.trim(), 300)}` : ''}`,
      );
    }
    const expires = Date.parse(status?.expirationTimestamp ?? '');
    return {
      ...(status?.token ? { token: new Secret(status.token) } : {}),
      ...(status?.clientCertificateData ? { cert: status.clientCertificateData } : {}),
      ...(status?.clientKeyData ? { key: status.clientKeyData } : {}),
      ...(Number.isNaN(expires) ? {} : { expiresAt: expires }),
    };
  }
}

function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => {
      stderr += ` no answer within ${LIMIT_MS / 1000} s`;
      child.kill('SIGKILL');
    }, LIMIT_MS);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      if (stderr.length < 10_000) stderr += text;
    });
    const settle = (code: number | null) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    };
    child.on('error', (error) => {
      stderr += error.message;
      settle(null);
    });
    child.on('close', (code) => settle(code));
  });
}
