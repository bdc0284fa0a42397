/** The files of a folder that may hold manifests: what is read, what is left out, and why. */
import {
  accessSync,
  constants,
  type Dirent,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { type Git, ignoredBy } from './git.ts';
import { isKustomization } from './kustomize.ts';

/** Larger files are generated ones (bundles of CRDs, exports); nobody keeps a workload's environment there. */
const LARGEST = 2 * 1024 * 1024;
/** A folder with more than this is a home folder or a disk, named by mistake. */
const MOST_ENTRIES = 100_000;
const isManifest = (name: string): boolean => /\.(ya?ml|json)$/i.test(name) || isKustomization(name);
/** Never the operator's own manifests, and often a hundred thousand files. */
const NOT_ENTERED = new Set(['.git', 'node_modules', '.terraform', '.venv', '__pycache__']);

export interface TreeFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  /** The whole text, a byte order mark included: encoding it gives the bytes of the file back. */
  readonly text: string;
  /** Template of a Helm chart: no YAML before it is rendered. Its chart's folder. */
  readonly chart?: string;
}

export interface Tree {
  readonly root: string;
  readonly files: readonly TreeFile[];
  /** Folders with a `Chart.yaml`. */
  readonly charts: readonly string[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Reads every YAML and JSON file below `dir`, symbolic links not followed out of it. Errors: `usage` when it is no folder,
 * cannot be read, or holds too much.
 */
export async function readTree(dir: string, git?: Git): Promise<Result<Tree>> {
  let root: string;
  try {
    root = realpathSync(dir);
    if (!statSync(root).isDirectory()) throw new Error('it is not a folder');
    accessSync(root, constants.R_OK | constants.X_OK);
  } catch (error) {
    return fail('usage', `The folder of manifests ${sanitiseLine(dir, 300)} can't be read: ${wordsOf(error)}.`, {
      next: ['Name a folder of a working tree with --dir (or --manifests-dir).'],
    });
  }
  const walk = new Walk(root);
  const full = walk.enter('');
  if (!full) {
    return fail('usage', `${sanitiseLine(dir, 300)} holds more than ${MOST_ENTRIES} files and folders.`, {
      next: ['Name the folder of the manifests itself.'],
    });
  }
  const ignored = git === undefined ? new Set<string>() : await ignoredBy(git, root, walk.paths);
  const files: TreeFile[] = [];
  for (const path of walk.paths.filter((one) => !ignored.has(one))) {
    const read = readText(join(root, path));
    if ('reason' in read) walk.skipped.push({ path, reason: read.reason });
    else {
      const chart = walk.charts.find((one) => path.startsWith(`${one === '' ? '' : `${one}/`}templates/`));
      files.push({ path, text: read.text, ...(chart === undefined ? {} : { chart }) });
    }
  }
  return ok({ root, files, charts: walk.charts, skipped: walk.skipped });
}

class Walk {
  readonly paths: string[] = [];
  readonly charts: string[] = [];
  readonly skipped: { path: string; reason: string }[] = [];
  readonly #root: string;
  #entries = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** False when there is too much. */
  enter(folder: string): boolean {
    let entries: Dirent[];
    try {
      entries = readdirSync(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      this.skipped.push({ path: folder, reason: `can't be read: ${wordsOf(error)}` });
      return true;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      this.#entries += 1;
      if (this.#entries > MOST_ENTRIES) return false;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isSymbolicLink()) this.#link(path);
      else if (entry.isDirectory()) {
        if (!NOT_ENTERED.has(entry.name) && !this.enter(path)) return false;
      } else if (entry.isFile() && isManifest(entry.name)) {
        if (/^Chart\.ya?ml$/.test(entry.name)) this.charts.push(folder);
        this.paths.push(path);
      }
    }
    return true;
  }

  /** What a link leads to inside the folder is found by itself; what lies outside is not the operator's choice. */
  #link(path: string): void {
    try {
      const real = realpathSync(join(this.#root, path));
      const inside = relative(this.#root, real);
      if (inside !== '..' && !inside.startsWith(`..${sep}`)) return;
      const isFolder = statSync(real).isDirectory();
      if (isFolder || isManifest(path) || isManifest(real)) {
        this.skipped.push({ path, reason: 'a symbolic link that leads out of the folder' });
      }
    } catch {
      if (isManifest(path)) this.skipped.push({ path, reason: 'a symbolic link that leads nowhere' });
    }
  }
}

/** The text of a file, or why it is not one. */
export function readText(path: string): { readonly text: string } | { readonly reason: string } {
  try {
    const { size } = lstatSync(path);
    if (size > LARGEST) return { reason: `larger than ${LARGEST / 1024 / 1024} MiB` };
    const bytes = readFileSync(path);
    if (bytes.includes(0)) return { reason: 'binary' };
    try {
      return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
    } catch {
      return { reason: 'not UTF-8' };
    }
  } catch (error) {
    return { reason: `can't be read: ${wordsOf(error)}` };
  }
}

/** `EACCES: permission denied`, without the path. */
export const wordsOf = (error: unknown): string =>
  sanitiseLine(error instanceof Error ? error.message.replace(/, [a-z]+ '.*$/s, '') : error, 200);
