/** Which builds of kustomize a file is part of: a base that several overlays build on is more than one cluster's business. */
import { posix } from 'node:path';
import type { Json } from '../kube/types.ts';
import { parseFile } from './documents.ts';
import type { TreeFile } from './tree.ts';

/** The three names that kustomize looks for. */
export const isKustomization = (path: string): boolean => /(^|\/)(kustomization\.ya?ml|Kustomization)$/.test(path);

/** Path of a file or folder in one spelling: `./base/` is `base`. */
const plainPath = (path: string): string => posix.join(path, '.');

/** What builds on what: folders with a kustomization, and the files and folders that each of them takes in. */
export class Builds {
  /** File or folder → folders of the kustomizations that take it in. */
  readonly #users = new Map<string, Set<string>>();

  constructor(files: readonly Pick<TreeFile, 'path' | 'text'>[]) {
    for (const { path, text } of files.filter((file) => isKustomization(file.path))) {
      const folder = posix.dirname(path);
      for (const value of parseFile(text)?.values ?? []) {
        for (const taken of takenIn(value)) {
          const at = plainPath(posix.join(folder, taken));
          this.#users.set(at, (this.#users.get(at) ?? new Set()).add(folder));
        }
      }
    }
  }

  /** Folders of the outermost kustomizations that a file ends up in. */
  rootsOf(path: string): string[] {
    const roots = new Set<string>();
    const seen = new Set<string>();
    const climb = (at: string) => {
      const users = this.#users.get(at);
      if (users === undefined && at !== path) roots.add(at);
      for (const user of users ?? []) {
        if (seen.has(user)) continue;
        seen.add(user);
        climb(user);
      }
    };
    climb(path);
    return [...roots].sort();
  }
}

function takenIn(value: Json): string[] {
  const lists = ['resources', 'bases', 'components', 'patchesStrategicMerge', 'patches', 'patchesJson6902'];
  return lists
    .flatMap((field) => (Array.isArray(value?.[field]) ? value[field] : []))
    .map((one: Json) => (typeof one === 'string' ? one : one?.path))
    .filter((one): one is string => typeof one === 'string' && !one.includes('\n') && !/^[a-z+]+:\/\//i.test(one));
}
