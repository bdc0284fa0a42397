/** `rehearse --serve`: the cluster as a process of its own, from its start until the signal aborts. */
import { ClusterError, type ClusterOptions, startCluster } from './cluster.ts';

export interface HostOptions extends Omit<ClusterOptions, 'noWait'> {
  /** Ends the cluster. */
  signal: AbortSignal;
  /** Called once, when every pod is Ready. */
  ready(kubeconfigPath: string): void | Promise<void>;
}

/** Has the shape of the engine's `WizardError` without importing it: the wing and the engine don't know each other. */
interface HostError {
  readonly code: ClusterError['code'];
  readonly message: string;
  readonly next: readonly string[];
  readonly retryable: boolean;
  readonly exitCode: 1 | 2;
}

export type HostResult =
  | { readonly ok: true; readonly value: undefined }
  | { readonly ok: false; readonly error: HostError };

/** Resolves when the cluster has ended and nothing of it is left. Throws for bugs only. */
export async function runHost({ signal, ready, ...options }: HostOptions): Promise<HostResult> {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  try {
    cluster = await startCluster({ ...options, signal });
  } catch (error) {
    if (signal.aborted) return { ok: true, value: undefined };
    if (!(error instanceof ClusterError)) throw error;
    const { code, message, next } = error;
    return { ok: false, error: { code, message, next, retryable: false, exitCode: code === 'usage' ? 2 : 1 } };
  }
  try {
    if (!signal.aborted) {
      await ready(cluster.kubeconfigPath);
      // The API server's listener keeps the process alive meanwhile.
      if (!signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    }
  } finally {
    await cluster.close();
  }
  return { ok: true, value: undefined };
}
