/**
 * The port as one piece of work has it: what it reads ends at once when the work is given up, what it writes when nobody
 * waits for an answer any more. A step can't forget the signal of a call, and leaving never waits for a silent cluster.
 */
import type { CallOptions, Kube, WriteOptions } from './types.ts';

export interface Life {
  /** Ends reads, dry runs and streams. */
  readonly reads: AbortSignal;
  /** Ends changes that were sent: their outcome is then unknown. */
  readonly writes: AbortSignal;
}

/** The same connection; a call that brings a signal of its own keeps it. */
export function boundKube(kube: Kube, { reads, writes }: Life): Kube {
  const read = <T extends CallOptions>(options: T | undefined) =>
    ({ ...options, signal: options?.signal ?? reads }) as T;
  const write = <T extends WriteOptions>(options: T | undefined) =>
    ({ ...options, signal: options?.signal ?? (options?.dryRun ? reads : writes) }) as T;
  return {
    ...kube,
    version: (signal) => kube.version(signal ?? reads),
    get: (of, options) => kube.get(of, read(options)),
    list: (of, options) => kube.list(of, read(options)),
    listPages: (of, onPage, options) => kube.listPages(of, onPage, read(options)),
    create: (of, object, options) => kube.create(of, object, write(options)),
    replace: (of, object, options) => kube.replace(of, object, write(options)),
    patch: (of, ops, options) => kube.patch(of, ops, write(options)),
    mergePatch: (of, body, options) => kube.mergePatch(of, body, write(options)),
    apply: (of, object, options) => kube.apply(of, object, write(options)),
    delete: (of, options) => kube.delete(of, write(options)),
    logs: (namespace, pod, options) => kube.logs(namespace, pod, read(options)),
    exec: (namespace, pod, container, command, options) => kube.exec(namespace, pod, container, command, read(options)),
    portForward: (namespace, pod, port, options) => kube.portForward(namespace, pod, port, read(options)),
  };
}
