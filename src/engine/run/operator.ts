/** Who drives the run: `user@host`, for the lease, the journal and the record. */
import { hostname, userInfo } from 'node:os';
import { sanitiseLine } from '../sanitise.ts';

export interface Operator {
  /** `alice@bastion`. */
  readonly identity: string;
  readonly user: string;
  readonly host: string;
}

/**
 * `PGB_WIZARD_OPERATOR` names the person behind a shared account; behind sudo it is the one who called sudo. Characters
 * outside of names are replaced: the identity is also the holder of a Lease and a column of a CSV file.
 */
export function operator(env: NodeJS.ProcessEnv = process.env): Operator {
  const host = clean(hostname().split('.')[0] ?? '', 'localhost');
  const named = env.PGB_WIZARD_OPERATOR?.split('@')[0];
  const user = clean(named || env.SUDO_USER || accountName() || env.USER || env.LOGNAME || '', 'operator');
  return { identity: `${user}@${host}`, user, host };
}

function accountName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a uid without an entry in passwd: then there is no name to find.
    return undefined;
  }
}

function clean(text: string, otherwise: string): string {
  const name = sanitiseLine(text, 60)
    .replace(/[^\p{L}\p{N}._+-]/gu, '-')
    .replace(/^[-.+]+/, '');
  return name === '' ? otherwise : name;
}
