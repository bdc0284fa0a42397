/** The built program as a child process, with a home of its own. */
import { spawn } from 'node:child_process';
import type { Json } from '../src/rehearsal/contract.ts';

export interface Ran {
  readonly code: number | null;
  readonly envelope: Json;
  readonly stderr: string;
}

/** Runs `pgb-wizard ARGS -o json` to its end. Rejects when it prints no envelope. */
export function runWizard(home: string, kubeconfig: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, ['bin/pgb-wizard.js', ...args, '-o', 'json'], {
    env: { ...process.env, HOME: home, PGB_WIZARD_HOME: home, KUBECONFIG: kubeconfig, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      try {
        resolve({ code, envelope: JSON.parse(stdout), stderr });
      } catch {
        reject(new Error(`no envelope (exit ${code}): ${stdout}\n${stderr}`));
      }
    });
  });
}

/** Steps that did not end well, a line each. */
export const openSteps = (ran: Ran): string =>
  ran.envelope.steps
    .filter((one: Json) => one.state === 'fail' || one.state === 'inconclusive')
    .map((one: Json) => `${one.id}: ${one.cause}`)
    .join('\n');
