/**
 * The questions before the screen. Two traps are dealt with around every prompt: Ink leaves standard input unreferenced,
 * and readline's pause arrives one turn after its answer.
 */
import type { KubeconfigContext } from '../engine/kube/option-types.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { isUtf8Locale } from '../screens/locale.ts';
import { withoutStorages } from './storages.ts';
import type { WaitingRun } from './waiting-runs.ts';

type Prompts = typeof import('./lazy/prompts.ts');

/** A terminal that promises no UTF-8 gets letters and ASCII, as the screen does. */
const look = () =>
  isUtf8Locale(process.env)
    ? {}
    : {
        prefix: { idle: '?', done: '+' },
        icon: { cursor: '>' },
        style: { keysHelpTip: () => 'up and down move, Enter selects' },
      };

/** One prompt, with standard input held while it is open. Ctrl+C answers `aborted`, with nothing changed. */
async function ask<T>(question: (prompts: Prompts) => Promise<T>): Promise<Result<T>> {
  const prompts = await import('./lazy/prompts.ts');
  process.stdin.ref();
  try {
    return ok(await withoutStorages(() => question(prompts)));
  } catch (error) {
    if (error instanceof Error && error.name === 'ExitPromptError') {
      return fail('aborted', 'Nothing was started.', { exitCode: 130 });
    }
    throw error;
  } finally {
    await new Promise(setImmediate);
  }
}

export function askContext(contexts: readonly KubeconfigContext[]): Promise<Result<string>> {
  return ask(({ select }) =>
    select({
      theme: look(),
      message: 'Context:',
      choices: contexts.map((one) => {
        const where = one.namespace ? `${one.cluster}, namespace ${one.namespace}` : one.cluster;
        return { name: sanitiseLine(one.name, 120), value: one.name, description: sanitiseLine(where, 120) };
      }),
    }),
  );
}

/** The namespace of the services, when the one that was meant does not exist. */
export function askNamespace(names: readonly string[], why: string): Promise<Result<string>> {
  return ask(({ select }) =>
    select({
      theme: look(),
      message: `${sanitiseLine(why, 160)}. Namespace of the services:`,
      choices: names.map((name) => ({ name: sanitiseLine(name, 80), value: name })),
      pageSize: 12,
    }),
  );
}

/** A password nobody has, never shown: what is typed appears as stars. */
export function askPassword(role: string, why: string): Promise<Result<string>> {
  return ask(({ password }) =>
    password({
      theme: look(),
      message: `${sanitiseLine(why, 160)} Password of ${sanitiseLine(role, 80)}:`,
      mask: '*',
      // The prompt could show it on Ctrl+T; a terminal is recorded, shared, and scrolled back.
      toggleMask: false,
      validate: (text) => (text === '' ? 'A password is needed (Ctrl+C leaves, nothing was started).' : true),
    }),
  );
}

/** Resume one of the waiting runs, or start a new one (undefined). The default is to resume the newest. */
export function askRun(runs: readonly WaitingRun[]): Promise<Result<WaitingRun | undefined>> {
  return ask(({ select }) =>
    select<WaitingRun | undefined>({
      theme: look(),
      message: 'A run waits to be resumed. What now?',
      choices: [
        ...runs.map((run) => ({
          name: `Resume ${run.runId}`,
          value: run,
          description: sanitiseLine(
            `plan ${run.planName}, ${run.done} of ${run.total} steps done, last written ${run.updatedAt.slice(0, 16).replace('T', ' ')} UTC`,
            160,
          ),
        })),
        { name: 'Start a new run', value: undefined, description: 'The waiting run stays as it is.' },
      ],
    }),
  );
}

/** A confirmation by typing a name. Anything else, and Ctrl+C, is no. */
export async function askTyped(message: string, accepted: readonly string[]): Promise<Result<void>> {
  const typed = await ask(({ input }) => input({ message }));
  if (!typed.ok) return typed;
  if (accepted.includes(typed.value.trim())) return ok(undefined);
  return fail('aborted', 'That is not the name; nothing was changed.', { exitCode: 2 });
}
