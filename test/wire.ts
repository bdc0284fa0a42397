/** A network between the wizard and the API server that can fall silent: nothing comes through, and no connection is refused. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Wire {
  /** Path of a kubeconfig that goes through it. */
  readonly kubeconfig: string;
  /** Connections that were taken in silence, so far. */
  readonly swallowed: number;
  /** From now on bytes are swallowed both ways, and new connections are taken and never answered. */
  silence(): void;
  /** New connections come through again; those that were silenced stay dead. */
  speak(): void;
  close(): Promise<void>;
}

/** Writes the kubeconfig beside `to`. */
export async function openWire(kubeconfig: string, to: string): Promise<Wire> {
  const text = readFileSync(kubeconfig, 'utf8');
  const target = Number(/server: https:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
  if (!target) throw new Error(`no server in ${kubeconfig}`);
  let silent = false;
  let swallowed = 0;
  const pairs = new Set<{ near: Socket; far: Socket | undefined }>();
  const server = createServer((near) => {
    if (silent) swallowed += 1;
    const far = silent ? undefined : connect(target, '127.0.0.1');
    const pair = { near, far };
    pairs.add(pair);
    const end = () => {
      near.destroy();
      far?.destroy();
      pairs.delete(pair);
    };
    near.on('error', end).on('close', end);
    far?.on('error', end).on('close', end);
    if (far) {
      near.pipe(far);
      far.pipe(near);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(to, text.replace(`127.0.0.1:${target}`, `127.0.0.1:${port}`), { mode: 0o600 });
  return {
    kubeconfig: to,
    get swallowed() {
      return swallowed;
    },
    silence() {
      silent = true;
      for (const { near, far } of pairs) {
        near.unpipe();
        far?.unpipe();
        // What comes is read and forgotten, as by a router that drops it.
        near.resume();
        far?.resume();
      }
    },
    speak() {
      silent = false;
    },
    close() {
      for (const { near, far } of pairs) {
        near.destroy();
        far?.destroy();
      }
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
