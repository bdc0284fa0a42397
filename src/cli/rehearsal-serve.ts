/** `rehearse --serve`: only the cluster, until a signal, or until nobody holds it any more. */
import { err, ok, type Result } from '../engine/result.ts';
import { stateDir } from '../engine/run/paths.ts';
import type { Invocation } from './command.ts';
import type { rehearseFlags } from './commands/rehearse.ts';
import { write } from './io.ts';
import { Holders, leaveNote } from './rehearsal-attach.ts';

export async function serveRehearsal(invocation: Invocation<typeof rehearseFlags>): Promise<Result<number>> {
  const { values, io, signal } = invocation;
  const { runHost } = await import('../rehearsal/host.ts');
  const end = new AbortController();
  signal.addEventListener('abort', () => end.abort(signal.reason), { once: true });
  let forget = () => {};
  const holders = new Holders(values.linger ?? 0, () => end.abort(new Error('nobody holds this cluster any more')));
  if (values.held) holders.holdByPipe(io.stdin);
  try {
    const result = await runHost({
      services: values.services,
      seed: values.seed,
      port: values.port,
      faults: values.fault,
      signal: end.signal,
      log: (line) => {
        io.stderr.write(`${line}\n`);
      },
      async ready(kubeconfig) {
        if (values.held) forget = await leaveNote(stateDir(io.env), kubeconfig, holders);
        await write(io.stdout, `KUBECONFIG=${kubeconfig}\n`);
      },
    });
    if (result.ok) return ok(0);
    const { error } = result;
    return err(error.next.length > 0 ? error : { ...error, next: ['See `pgb-wizard rehearse --help`.'] });
  } finally {
    forget();
  }
}
