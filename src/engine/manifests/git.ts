/**
 * What Git knows of a folder: ignored files, uncommitted changes, and older versions. Asked with git itself, because only it
 * knows its own rules; without it, or outside a repository, nothing is known and nothing fails.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Git {
  /** Top of the work tree, symbolic links resolved. */
  readonly top: string;
}

const LIMIT_MS = 20_000;
const LARGEST = 64 * 1024 * 1024;

/** A repository's own configuration may name programs to run; looking at it must not. */
const QUIET = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '-c', 'diff.external='];

/** Inside of a hook Git's own variables name another repository than the folder's. */
function environment(): NodeJS.ProcessEnv {
  const rest = Object.entries(process.env).filter(
    ([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR)$/.test(name),
  );
  return { ...Object.fromEntries(rest), GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
}

/** Standard output, or undefined when git is not there, says no, or does not end. */
function run(folder: string, args: readonly string[], input?: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const child = spawn('git', ['-C', folder, ...QUIET, ...args], {
      env: environment(),
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: LIMIT_MS,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LARGEST) child.kill();
      else chunks.push(chunk);
    });
    child.on('error', () => resolve(undefined));
    // `check-ignore` ends with 1 when nothing is ignored.
    child.on('close', (code) => resolve(code === 0 || code === 1 ? Buffer.concat(chunks) : undefined));
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

/** The repository a folder is in. */
export async function openGit(folder: string): Promise<Git | undefined> {
  const top = (await run(folder, ['rev-parse', '--show-toplevel']))?.toString('utf8').replace(/\r?\n$/, '');
  return top ? { top } : undefined;
}

/** Which of these paths (relative to `root`) are ignored. */
export async function ignoredBy(_git: Git, root: string, paths: readonly string[]): Promise<Set<string>> {
  if (paths.length === 0) return new Set();
  const said = await run(root, ['check-ignore', '-z', '--stdin'], `${paths.join('\0')}\0`);
  const found = new Set((said?.toString('utf8') ?? '').split('\0').filter((one) => one !== ''));
  // Somebody who names a folder that is ignored as a whole (what a build renders) means its files.
  return found.size === paths.length ? new Set() : found;
}

/** How each of these files stands; every one of them is `clean` unless Git says otherwise. */
export async function standingOf(
  git: Git,
  root: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, 'clean' | 'modified' | 'untracked'>> {
  const found = new Map<string, 'clean' | 'modified' | 'untracked'>();
  if (paths.length === 0) return found;
  const said = await run(root, [
    'status',
    '--porcelain=v1',
    '-z',
    '--untracked-files=all',
    '--',
    ...paths.map(literal),
  ]);
  if (said === undefined) return found;
  for (const path of paths) found.set(path, 'clean');
  const byFull = new Map(paths.map((path) => [join(root, path), path]));
  for (const entry of said.toString('utf8').split('\0')) {
    const path = byFull.get(join(git.top, entry.slice(3)));
    if (path !== undefined) found.set(path, entry.startsWith('??') ? 'untracked' : 'modified');
  }
  return found;
}

const literal = (path: string): string => `:(literal)${path}`;

/** Older texts of a file, the newest first: as committed, at most `most`. */
export async function* olderTexts(root: string, path: string, most = 30): AsyncGenerator<string> {
  const log = await run(root, ['log', '-n', String(most), '--format=%H', '--', literal(path)]);
  for (const commit of (log?.toString('utf8') ?? '').split('\n').filter((one) => /^[0-9a-f]{40,64}$/.test(one))) {
    const bytes = await run(root, ['cat-file', 'blob', `${commit}:./${path}`]);
    if (bytes !== undefined) yield bytes.toString('utf8');
  }
}
