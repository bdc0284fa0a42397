/** A rehearsal API server for one scenario, with a runtime that runs commands on this machine. */
import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RehearsalUser } from '../../src/rehearsal/api/access.ts';
import { type ApiServer, startApiServer } from '../../src/rehearsal/api/server.ts';
import { createStore, type RehearsalStore } from '../../src/rehearsal/api/store.ts';
import type { PodRuntime } from '../../src/rehearsal/contract.ts';
import type { Endpoint } from './wire.ts';

export interface ContractCluster extends Endpoint {
  store: RehearsalStore;
  api: ApiServer;
}

export interface ContractOptions {
  users?: readonly RehearsalUser[];
  runtime?: PodRuntime;
  clock?: () => Date;
}

/** A container of the recording: it printed `started` and then slept. */
export function machineRuntime(dial: (port: number) => Promise<Duplex>): PodRuntime {
  return {
    async *log(_namespace, _pod, _container, { follow, signal }) {
      yield { at: new Date(), line: 'started' };
      if (follow) await sleep(100_000, undefined, { signal, ref: false }).catch(() => undefined);
    },
    exec(_namespace, _pod, _container, command, session) {
      return new Promise((resolve, reject) => {
        const child = spawn(command[0] as string, command.slice(1), { signal: session.signal });
        child.on('error', () =>
          reject(
            new Error(
              `failed to exec in container: failed to start exec "${'0'.repeat(64)}": OCI runtime exec failed: exec failed: unable to start container process: exec: "${command[0]}": stat ${command[0]}: no such file or directory: unknown`,
            ),
          ),
        );
        child.stdout.on('data', session.stdout);
        child.stderr.on('data', session.stderr);
        if (session.stdin === undefined) child.stdin.end();
        else session.stdin.pipe(child.stdin);
        child.on('close', (code) => resolve(code ?? 137));
      });
    },
    dial: (_namespace, _pod, port) => dial(port),
  };
}

const refuse = (port: number): Promise<Duplex> => Promise.reject(new Error(`connect: connection refused (${port})`));

export async function startContractCluster(options: ContractOptions = {}): Promise<ContractCluster> {
  const store = createStore({
    namespaces: ['rec', 'nova'],
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  const users = options.users ?? [{ name: 'admin', token: 'contract', groups: ['system:masters'], admin: true }];
  const api = await startApiServer({ store, runtime: options.runtime ?? machineRuntime(refuse), users });
  return { store, api, url: api.url, ca: api.ca, token: (users[0] as RehearsalUser).token };
}
