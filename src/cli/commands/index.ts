/** The command table, in the order of the help. */
import type { AnyCommand } from '../command.ts';
import { completionCommand } from './completion.ts';
import { versionCommand } from './version.ts';

export const commands: readonly AnyCommand[] = [completionCommand, versionCommand];
