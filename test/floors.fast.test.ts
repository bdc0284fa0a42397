/**
 * The house of docs/decisions and CONTRIBUTING: bin → cli → screens → hooks → engine, with `components` and `rehearsal`
 * as wings. Imports are read from the sources; a lower floor that reaches up, or a wing that reaches across, fails here.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const src = join(root, 'src');

/** What the files of a floor may import, besides their own floor. `contract`: types shared by both halves of the rehearsal. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ['screens', 'hooks', 'engine', 'rehearsal'],
  screens: ['hooks', 'engine', 'components'],
  hooks: ['engine'],
  components: ['engine'],
  engine: [],
  rehearsal: [],
};

/** Engine and rehearsal draw nothing and know no terminal; commands are parsed in cli only. */
const FORBIDDEN_PACKAGES: Readonly<Record<string, RegExp>> = {
  engine: /^(react|ink|ink-.*|@inquirer\/.*|commander|chalk|string-width|cli-truncate|node:readline|node:tty)(\/|$)/,
  rehearsal: /^(react|ink|ink-.*|@inquirer\/.*|commander|@kubernetes\/client-node)(\/|$)/,
  hooks: /^(@inquirer\/.*|commander|pg|conf|@kubernetes\/client-node)(\/|$)/,
  components: /^(@inquirer\/.*|commander|pg|conf|@kubernetes\/client-node|node:.*)(\/|$)/,
  screens: /^(@inquirer\/.*|commander|pg|conf|@kubernetes\/client-node)(\/|$)/,
  cli: /^(react|ink|pg|conf|@kubernetes\/client-node)(\/|$)/,
};

/** Heavy packages come in through one file of named re-exports each, so that the bundle can leave the rest out. */
const DOORS: Readonly<Record<string, RegExp>> = {
  '@kubernetes/client-node': /^engine\/kube\/client-node\.ts$/,
  pg: /^engine\/postgres\/pg-client\.ts$/,
  conf: /^engine\/run\/checkpoint-conf\.ts$/,
  '@inquirer/prompts': /^cli\/lazy\/prompts\.ts$/,
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function sources(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}

const isTest = (file: string) => /\.test\.tsx?$/.test(file) || /(^|\/)testing\//.test(file);

/** Static imports, re-exports and dynamic imports of one file; comments and strings with such words are rare enough. */
function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const from = relative(src, path);
  const found: Import[] = [];
  for (const match of text.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm)) {
    const named = /\{([^}]*)\}/
      .exec(match[0])?.[1]
      ?.split(',')
      .map((one) => one.trim())
      .filter(Boolean);
    const typeOnly = match[1] !== undefined || (named?.length ? named.every((one) => one.startsWith('type ')) : false);
    found.push({ from, to: match[2]!, typeOnly });
  }
  for (const match of text.matchAll(/(typeof\s+)?import\(\s*(?:\/\*.*?\*\/\s*)?['"]([^'"]+)['"]\s*\)/g)) {
    found.push({ from, to: match[2]!, typeOnly: match[1] !== undefined });
  }
  return found;
}

const files = sources(src).filter((file) => !isTest(relative(src, file)));
const imports = files.flatMap(importsOf);
const floorOf = (file: string) => file.split('/')[0]!;
const target = (one: Import) => relative(src, resolve(src, dirname(one.from), one.to));
const isRelative = (one: Import) => one.to.startsWith('.');
const show = (one: Import) => `${one.from} imports ${one.to}`;

describe('the floors of the house', () => {
  test('there are sources and imports to look at on every floor', () => {
    const floors = new Set(imports.map((one) => floorOf(one.from)));
    expect([...floors].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
    expect(imports.length).toBeGreaterThan(100);
  });

  test('a floor imports only from floors below it, and a wing from nobody beside it', () => {
    const wrong = imports.filter((one) => {
      if (!isRelative(one)) return false;
      const [from, to] = [floorOf(one.from), floorOf(target(one))];
      if (from === to || target(one).startsWith('..')) return false;
      return !MAY_IMPORT[from]?.includes(to);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('nothing in src imports from outside of src, except the version in package.json', () => {
    const wrong = imports.filter(
      (one) => isRelative(one) && target(one).startsWith('..') && target(one) !== '../package.json',
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('rehearsal and engine never meet, not even for types', () => {
    const wrong = imports.filter((one) => {
      const pair = [floorOf(one.from), isRelative(one) ? floorOf(target(one)) : ''];
      return pair.includes('engine') && pair.includes('rehearsal');
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('each floor keeps away from the packages of others', () => {
    const wrong = imports.filter(
      (one) => !isRelative(one) && !one.typeOnly && FORBIDDEN_PACKAGES[floorOf(one.from)]?.test(one.to),
    );
    const doors = Object.values(DOORS);
    expect(wrong.filter((one) => !doors.some((door) => door.test(one.from))).map(show)).toEqual([]);
  });

  test.each(Object.entries(DOORS))('%s comes in through its one door', (name, door) => {
    const all = imports.filter((one) => one.to === name || one.to.startsWith(`${name}/`));
    const wrong = all.filter((one) => !one.typeOnly && !door.test(one.from) && !one.from.startsWith('rehearsal/'));
    expect(all.length).toBeGreaterThan(0);
    expect(wrong.map(show)).toEqual([]);
  });

  test('every relative import carries its extension and exists', () => {
    const wrong = imports.filter((one) => isRelative(one) && !existsSync(resolve(src, dirname(one.from), one.to)));
    expect(wrong.map(show)).toEqual([]);
  });

  test('screens draw with components only through screens: hooks and engine know none', () => {
    const wrong = imports.filter(
      (one) =>
        isRelative(one) &&
        floorOf(target(one)) === 'components' &&
        !['components', 'screens'].includes(floorOf(one.from)),
    );
    expect(wrong.map(show)).toEqual([]);
  });
});
