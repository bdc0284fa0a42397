/** Plans of files that a test writes, and the manifest that most of them write. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { planManifests } from '../plan.ts';
import type { Direction, ManifestPlan, WantedChange } from '../types.ts';
import { changeOf, folderOf, livesIn, NAMESPACE, sourcesOf, TARGET, TO } from './changes.ts';

/** A Deployment with this list of variables in its container; `more` stands behind it. */
export const deployment = (env: string, name = 'auth', more = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      containers:
        - name: app
          image: registry/${name}:1
          env:
${env.replace(/^/gm, '            ')}
${more}`;

/** An address without a password, and one with. */
export const URL = '- name: DATABASE_URL\n  value: postgres://u@postgres:5432/nova # direct';
export const PASSWORD = '- name: DATABASE_URL\n  value: "postgres://u:in-the-file@postgres:5432/nova" # direct';

/** What is planned for a folder; a plan that can't be made is a wrong test. */
export async function planIn(
  dir: string,
  changes: readonly WantedChange[],
  direction: Direction = 'forward',
): Promise<ManifestPlan> {
  const found = await planManifests({ dir, namespace: NAMESPACE, changes, direction, target: TARGET, to: TO });
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
}

/** The same for a folder with one file, which is gone afterwards. */
export async function planOf(
  name: string,
  text: string,
  changes: readonly WantedChange[],
  direction: Direction,
): Promise<ManifestPlan> {
  const dir = folderOf({ [name]: text });
  try {
    return await planIn(dir, changes, direction);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export const changesOf = (text: string, sources = sourcesOf()): WantedChange[] =>
  livesIn(text).map((live) => changeOf(live, sources));

export const states = (found: ManifestPlan): string[] => found.workloads.map((one) => `${one.id} ${one.state}`);

/** A folder under Git, with all of its files committed. */
export function repository(files: Readonly<Record<string, string>>): string {
  const dir = folderOf(files);
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', dir, '-c', 'user.name=t', '-c', 'user.email=t@example', ...args], { stdio: 'pipe' });
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', 'as it was');
  return dir;
}
