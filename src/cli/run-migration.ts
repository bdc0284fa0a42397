/** `run`: the migration on the kubeconfig's cluster. */
import { ok, type Result } from '../engine/result.ts';
import { operator } from '../engine/run/operator.ts';
import { shellWord } from '../engine/shell-word.ts';
import type { Invocation } from './command.ts';
import type { runFlags } from './commands/run.ts';
import { drive } from './drive.ts';
import { resumeCommand } from './envelope.ts';
import type { Given } from './missing-answers.ts';
import { chooseFirst, completeOptions, isDry, kubeOptions, modeOf } from './session.ts';

export async function runMigration(invocation: Invocation<typeof runFlags>): Promise<Result<number>> {
  const { values, io, signal, command } = invocation;
  const mode = modeOf(values, io);
  if (!mode.ok) return mode;
  const cluster = await rehearsalScale(invocation);
  if (!cluster.ok) return cluster;
  const request = { values, mode: mode.value, io, signal, ...cluster.value };
  // Questions come before the screen, everything else after its first frame.
  const chosen = await chooseFirst(request);
  if (!chosen.ok) return chosen;
  let given: Given = {};
  for (;;) {
    const known = {
      values: { ...values, namespace: given.namespace ?? values.namespace },
      chosen: { ...chosen.value, passwords: { ...chosen.value.passwords, ...given.passwords } },
    };
    const driven = await drive({
      command,
      mode: mode.value,
      values,
      io,
      signal,
      options: () => completeOptions({ ...request, values: known.values }, known.chosen),
      start: {
        context: chosen.value.context,
        namespace: known.values.namespace,
        operator: operator(io.env).identity,
      },
      ...(isDry(values)
        ? {
            finish: async (last) =>
              (await import('./dry-run.ts')).finishDryRun({ command, format: values.output, io }, last),
          }
        : { resume: (runId) => resumeCommand({ runId }, kubeFlags(known.values)) }),
    });
    if (driven.ok || mode.value === 'headless' || signal.aborted) return driven;
    const kube = { ...kubeOptions(values), context: chosen.value.context, signal };
    const { askForMissing } = await import('./missing-answers.ts');
    const asked = await askForMissing(driven.error, kube);
    if (!asked.ok) return asked;
    if (asked.value === undefined) return driven;
    given = { ...given, ...asked.value };
  }
}

/** A rehearsal cluster that was started with `rehearse --serve` may pass time faster; a real one never. */
async function rehearsalScale(
  invocation: Invocation<typeof runFlags>,
): Promise<Result<{ rehearsal: boolean; timeScale: number }>> {
  const { values, signal } = invocation;
  if (values.timeScale === undefined) return ok({ rehearsal: false, timeScale: 1 });
  const { requireRehearsal } = await import('./rehearsal-load.ts');
  const checked = await requireRehearsal({ ...kubeOptions(values), signal });
  return checked.ok ? ok({ rehearsal: true, timeScale: values.timeScale }) : checked;
}

/** The flags that name the cluster, as they were given. */
export function kubeFlags(values: Pick<Invocation<typeof runFlags>['values'], 'kubeconfig' | 'context' | 'namespace'>) {
  return (['kubeconfig', 'context', 'namespace'] as const).flatMap((key) => {
    const value = values[key];
    return value === undefined ? [] : [`--${key}`, shellWord(value)];
  });
}
