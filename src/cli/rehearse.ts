/** `rehearse`: the same wizard on the embedded cluster. */
import { fail, type Result } from '../engine/result.ts';
import { stateDir } from '../engine/run/paths.ts';
import type { LoadReport } from '../rehearsal/cluster.ts';
import type { Invocation } from './command.ts';
import type { rehearseFlags } from './commands/rehearse.ts';
import { drive } from './drive.ts';
import { write } from './io.ts';
import { attachRehearsal } from './rehearsal-attach.ts';
import { type RehearsalCluster, startRehearsal } from './rehearsal-child.ts';
import { fetchLoad, loadLine } from './rehearsal-load.ts';
import { type Mode, modeOf, prepareRun, type RunValues } from './session.ts';

/** An hour of soak in a minute: long enough to read the screen, short enough for a lunch break. */
export const DEFAULT_TIME_SCALE = 60;
/** How long the cluster stays for a run that was parked: as long as it takes to type the command that resumes it. */
const KEEP_MS = 10 * 60_000;
/** And for a wizard that died without a word. A pipeline that was killed gets no leftovers. */
const LINGER_MS = { screen: KEEP_MS, headless: 0 } as const;

type Rehearsal = Invocation<typeof rehearseFlags>;

export async function rehearse(invocation: Rehearsal): Promise<Result<number>> {
  const { values, io, signal } = invocation;
  if (values.serve) {
    const { serveRehearsal } = await import('./rehearsal-serve.ts');
    return serveRehearsal(invocation);
  }
  const mode = modeOf(values, io);
  if (!mode.ok) return mode;
  const waiting = values.fresh ? undefined : await attachRehearsal(stateDir(io.env));
  if (values.run !== undefined && !waiting) {
    return fail('not-found', `The cluster of rehearsal ${values.run} is gone, so the run cannot be resumed.`, {
      cause: 'A rehearsal cluster ends with its wizard, or after its --linger time.',
      next: ['Start a new one with `pgb-wizard rehearse`.', 'Keep the next one for a while with --linger 30m.'],
      exitCode: 2,
    });
  }
  let cluster: RehearsalCluster | undefined = waiting;
  const lingerMs = values.linger ?? LINGER_MS[mode.value];
  const optionsOf = async (fresh: boolean) => {
    if (!cluster) {
      const say = (line: string) => {
        if (mode.value === 'headless') io.stderr.write(`rehearsal  ${line}\n`);
      };
      const choice = {
        faults: values.fault,
        services: values.services,
        seed: values.seed,
        port: values.port,
        lingerMs,
      };
      const started = await startRehearsal(choice, signal, say);
      if (!started.ok) return started;
      cluster = started.value;
    }
    return prepareRun({
      values: { ...runValues(values), fresh, ...unattended(values, mode.value) },
      mode: mode.value,
      io,
      rehearsal: true,
      timeScale: values.timeScale ?? DEFAULT_TIME_SCALE,
      kube: { kubeconfig: cluster.kubeconfig, context: undefined },
    });
  };
  // A cluster that waited for its run is kept unless that run came to its end.
  let keep = waiting !== undefined;
  try {
    // On a cluster that waits there may be a question (which run?), which must come before the screen.
    const known = waiting ? await optionsOf(false) : undefined;
    if (known && !known.ok) return known;
    return await drive({
      command: invocation.command,
      mode: mode.value,
      values,
      io,
      signal,
      options: () => (known ? Promise.resolve(known) : optionsOf(true)),
      start: { rehearsal: true, note: 'starting PostgreSQL, PgBouncer and services' },
      resume: (runId) => `pgb-wizard rehearse --run ${runId}`,
      async more(last) {
        keep = !['done', 'rolled-back'].includes(last.outcome ?? '') || last.status !== 'ended';
        const load = await loadOf(cluster);
        if (load && mode.value === 'screen') await write(io.stdout, `${loadLine(load)}\n`);
        return load ? { load } : {};
      },
    });
  } finally {
    const keepMs = values.linger ?? KEEP_MS;
    if (cluster && keep && keepMs > 0) {
      cluster.release(keepMs);
      await write(
        io.stderr,
        `The rehearsal cluster stays for ${Math.round(keepMs / 1000)} s, then ends by itself (--linger).\n`,
      );
    } else {
      await cluster?.stop();
    }
  }
}

async function loadOf(cluster: RehearsalCluster | undefined): Promise<LoadReport | undefined> {
  if (!cluster) return undefined;
  const load = await fetchLoad({ kubeconfig: cluster.kubeconfig });
  return load.ok ? load.value : undefined;
}

/** A rehearsal takes its cluster and its passwords from itself. */
function runValues(values: Rehearsal['values']): RunValues {
  const none = undefined;
  return {
    ...values,
    ...{ kubeconfig: none, context: none, namespace: none, as: none, requestTimeout: none, passwordSecret: none },
    ...{ rolePasswordFile: none, adminPasswordFile: none, statsPasswordFile: none },
  };
}

/** A rehearsal without a screen goes the whole way: what fails is taken back, unless something else was asked for. */
function unattended(values: Rehearsal['values'], mode: Mode): { onFailure?: 'rollback-service' } {
  return mode === 'headless' && values.onFailure === undefined ? { onFailure: 'rollback-service' } : {};
}
