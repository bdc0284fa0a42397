/**
 * Where passwords come from without being arguments: files, standard input, a Secret of the namespace, the guide's three
 * variables. What is absent everywhere is generated, or found in the services' own address, by the engine.
 */
import { readFile, stat } from 'node:fs/promises';
import { fail, ok, type Result } from '../engine/result.ts';
import type { SecretInputs } from '../engine/run/options.ts';
import { Secret } from '../engine/secret.ts';
import type { Io } from './io.ts';

export interface PasswordSources {
  readonly rolePasswordFile?: string;
  readonly adminPasswordFile?: string;
  readonly statsPasswordFile?: string;
}

export interface Passwords {
  readonly inputs: SecretInputs;
  /** For the operator, no value in them. */
  readonly notices: readonly string[];
}

const PARTS = [
  {
    input: 'rolePassword',
    file: 'rolePasswordFile',
    flag: '--role-password-file',
    variable: 'PGBOUNCER_NOVA_USER_PASS',
  },
  {
    input: 'adminPassword',
    file: 'adminPasswordFile',
    flag: '--admin-password-file',
    variable: 'PGBOUNCER_ADMIN_PASS',
  },
  {
    input: 'statsPassword',
    file: 'statsPasswordFile',
    flag: '--stats-password-file',
    variable: 'PGBOUNCER_STATS_USER_PASS',
  },
] as const;

/** A password is one line; a file larger than this is some other file. */
const LARGEST = 4096;

/** Reads what was given. Files win over variables; the variables are removed, so that no child process inherits them. */
export async function readPasswords(sources: PasswordSources, io: Io): Promise<Result<Passwords>> {
  const fromStdin = PARTS.filter((part) => sources[part.file] === '-');
  if (fromStdin.length > 1) {
    const flags = fromStdin.map((part) => part.flag).join(' and ');
    return fail('usage', `Standard input can give one password only, and ${flags} both want it.`, {
      next: ['Give the others as files.'],
    });
  }
  const inputs: { -readonly [K in keyof SecretInputs]: SecretInputs[K] } = {};
  const notices: string[] = [];
  for (const part of PARTS) {
    const path = sources[part.file];
    const variable = io.env[part.variable];
    delete io.env[part.variable];
    if (path !== undefined) {
      const read = path === '-' ? await readStdin(io, part.flag) : await readSecretFile(path, part.flag, notices);
      if (!read.ok) return read;
      inputs[part.input] = read.value;
    } else if (variable !== undefined && variable !== '') {
      inputs[part.input] = new Secret(variable);
    }
  }
  return ok({ inputs, notices });
}

async function readSecretFile(path: string, flag: string, notices: string[]): Promise<Result<Secret>> {
  try {
    const { mode, size } = await stat(path);
    if (size > LARGEST) return fail('usage', `${flag}: ${path} is larger than a password can be.`);
    if ((mode & 0o077) !== 0) notices.push(`${path} can be read by others on this machine (chmod 600 ${path}).`);
    return oneLine(await readFile(path, 'utf8'), flag);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const why = code === 'ENOENT' ? 'there is no such file' : code;
    return fail('secret-missing', `${flag}: ${path} cannot be read: ${why}.`, { exitCode: 2 });
  }
}

async function readStdin(io: Io, flag: string): Promise<Result<Secret>> {
  if (io.stdin.isTTY) {
    return fail('usage', `${flag} - reads the password from a pipe, and standard input is a terminal.`, {
      next: [`Leave ${flag} out to be asked, or pipe the password in.`],
    });
  }
  let all = '';
  for await (const chunk of io.stdin) {
    all += chunk;
    if (all.length > LARGEST) return fail('usage', `${flag}: standard input is longer than a password can be.`);
  }
  return oneLine(all, flag);
}

function oneLine(content: string, flag: string): Result<Secret> {
  const value = content.replace(/\r?\n$/, '');
  if (value === '') return fail('secret-missing', `${flag}: the password is empty.`, { exitCode: 2 });
  if (/[\r\n\0]/.test(value)) return fail('usage', `${flag}: a password is one line, and this has several.`);
  return ok(new Secret(value));
}
