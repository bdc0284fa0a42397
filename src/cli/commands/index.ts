/** The command table, in the order of the help. */
import type { AnyCommand } from '../command.ts';
import { approveCommand } from './approve.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { holdCommand } from './hold.ts';
import { planCommand } from './plan.ts';
import { rehearseCommand } from './rehearse.ts';
import { rollbackCommand } from './rollback.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { versionCommand } from './version.ts';

export const commands: readonly AnyCommand[] = [
  runCommand,
  rehearseCommand,
  planCommand,
  statusCommand,
  holdCommand,
  approveCommand,
  rollbackCommand,
  configCommand,
  completionCommand,
  versionCommand,
];
