/** An API server of the rehearsal wing without controllers and pods: for tests of what the engine writes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectKube } from '../src/engine/kube/connect.ts';
import type { ConnectOptions } from '../src/engine/kube/option-types.ts';
import type { Kube } from '../src/engine/kube/types.ts';
import { realClock } from '../src/engine/run/clock.ts';
import { type ApiServer, startApiServer } from '../src/rehearsal/api/server.ts';
import { createStore, type RehearsalStore } from '../src/rehearsal/api/store.ts';
import type { PodRuntime } from '../src/rehearsal/contract.ts';

export interface BareCluster {
  readonly api: ApiServer;
  readonly store: RehearsalStore;
  connect(options?: Partial<ConnectOptions>): Promise<Kube>;
  close(): Promise<void>;
}

const noPods: PodRuntime = {
  // biome-ignore lint/correctness/useYield: a log without lines
  async *log() {
    return;
  },
  exec: () => Promise.reject(new Error('no pods here')),
  dial: () => Promise.reject(new Error('no pods here')),
};

export async function bareCluster(): Promise<BareCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'pgbw-kube-'));
  const store = createStore({ namespaces: ['nova'] });
  const api = await startApiServer({ store, runtime: noPods, dir, namespace: 'nova' });
  const open: Kube[] = [];
  return {
    api,
    store,
    async connect(options = {}) {
      const rate = { perSecond: 1000, burst: 1000 };
      const kube = await connectKube({
        kubeconfig: api.kubeconfigPath!,
        namespace: 'nova',
        runId: '7f3a2b1c',
        clock: realClock(),
        rate,
        ...options,
      });
      if (!kube.ok) throw new Error(`${kube.error.code}: ${kube.error.message}`);
      open.push(kube.value);
      return kube.value;
    },
    async close() {
      for (const kube of open) kube.close();
      await api.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
