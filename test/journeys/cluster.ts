/** A rehearsal cluster of its own process, for journeys that cut the wizard off and come back. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { environment } from './terminal.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/pgb-wizard.js', import.meta.url));

export interface Cluster {
  readonly kubeconfig: string;
  /** `kubectl`, with the cluster's kubeconfig and namespace; answers standard output. */
  kubectl(...args: string[]): Promise<string>;
  json<T>(...args: string[]): Promise<T>;
  /** POST to a path of the API server itself. */
  raw(path: string, body: unknown): Promise<void>;
  stop(): Promise<void>;
}

export function kubectlOf(kubeconfig: string): Pick<Cluster, 'kubectl' | 'json' | 'raw'> {
  const kubectl = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('kubectl', ['--kubeconfig', kubeconfig, '-n', 'nova', ...args], {
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  };
  const raw = async (path: string, body: unknown): Promise<void> => {
    const sending = promisify(execFile)('kubectl', ['--kubeconfig', kubeconfig, 'create', '--raw', path, '-f', '-']);
    sending.child.stdin?.end(JSON.stringify(body));
    await sending;
  };
  return { kubectl, raw, json: async <T>(...args: string[]) => JSON.parse(await kubectl(...args)) as T };
}

export async function startCluster(home: string, args: readonly string[] = []): Promise<Cluster> {
  const child = spawn(process.execPath, [PROGRAM, 'rehearse', '--serve', '--no-input', ...args], {
    env: environment(home),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout });
  const [first] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => [`exit ${code}`]),
  ])) as [string];
  const kubeconfig = /^KUBECONFIG=(.+)$/.exec(first)?.[1];
  if (kubeconfig === undefined) throw new Error(`the cluster did not start: ${first}`);
  return {
    kubeconfig,
    ...kubectlOf(kubeconfig),
    async stop() {
      // It may have ended by itself.
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
    },
  };
}
