/** Notifications of the screen: a command, a webhook. Neither may delay or break a run, and what fails is told. */
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { sanitiseLine } from '../engine/sanitise.ts';
import type { Notify } from '../screens/due.ts';

export interface NotifySettings {
  /** Program and arguments; the text comes as the last one. */
  readonly command?: readonly string[];
  /** Gets `{"text": …}` by POST, as Slack, Mattermost and Teams take it. */
  readonly webhook?: string;
}

export interface NotifyLimits {
  readonly commandMs: number;
  readonly webhookMs: number;
}

const LIMITS: NotifyLimits = { commandMs: 10_000, webhookMs: 5000 };

/** Undefined when nothing is configured: the terminal's bell is enough then. */
export function notifier(settings: NotifySettings | undefined, limits: NotifyLimits = LIMITS): Notify | undefined {
  const { command = [], webhook } = settings ?? {};
  if (command.length === 0 && webhook === undefined) return undefined;
  return async ({ title, runId, namespace }) => {
    const text = `pgb-wizard ${sanitiseLine(namespace, 63)} (run ${runId}): ${sanitiseLine(title, 160)}`;
    const troubles = await Promise.all([
      command.length === 0 ? undefined : runCommand(command, text, limits.commandMs),
      webhook === undefined ? undefined : post(webhook, text, limits.webhookMs),
    ]);
    const told = troubles.filter((one) => one !== undefined);
    return told.length === 0 ? undefined : `notification: ${told.join('; ')}`;
  };
}

/** Only the program is named in an error: its arguments may hold a token. */
function runCommand([program = '', ...args]: readonly string[], text: string, limitMs: number) {
  const name = sanitiseLine(basename(program), 40);
  return new Promise<string | undefined>((resolve) => {
    // A group of its own, so that what the command has started can be stopped with it.
    const child = spawn(program, [...args, text], { stdio: 'ignore', detached: true });
    const timer = setTimeout(() => {
      resolve(`${name} was stopped after ${limitMs / 1000} s`);
      try {
        process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
    }, limitMs);
    timer.unref();
    const settle = (trouble: string | undefined) => {
      clearTimeout(timer);
      resolve(trouble);
    };
    child.on('error', (error: NodeJS.ErrnoException) =>
      settle(`${name} cannot be started (${error.code ?? 'unknown error'})`),
    );
    child.on('exit', (code, signal) => settle(code === 0 ? undefined : `${name} ended with ${code ?? signal}`));
    child.unref();
  });
}

/** Only the host is named in an error: the path of a webhook is its password. */
async function post(webhook: string, text: string, limitMs: number): Promise<string | undefined> {
  const { host } = new URL(webhook);
  try {
    const answer = await fetch(webhook, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text }),
      // Nobody else than who was named gets it.
      redirect: 'manual',
      signal: AbortSignal.timeout(limitMs),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `${host} answered ${answer.status}`;
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') return `${host} did not answer within ${limitMs / 1000} s`;
    const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
    return `${host} cannot be reached${code === undefined ? '' : ` (${code})`}`;
  }
}
