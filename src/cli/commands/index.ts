/** The command table, in the order of the help. */
import type { AnyCommand } from '../command.ts';
import { approveCommand } from './approve.ts';
import { cleanupCommand } from './cleanup.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { doctorCommand } from './doctor.ts';
import { exportCommand } from './export.ts';
import { holdCommand } from './hold.ts';
import { initCommand } from './init.ts';
import { lockCommand } from './lock.ts';
import { manifestsCommand } from './manifests.ts';
import { planCommand } from './plan.ts';
import { preflightCommand } from './preflight.ts';
import { rbacCommand } from './rbac.ts';
import { rehearseCommand } from './rehearse.ts';
import { rollbackCommand } from './rollback.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { verifyCommand } from './verify.ts';
import { versionCommand } from './version.ts';

export const commands: readonly AnyCommand[] = [
  runCommand,
  rehearseCommand,
  initCommand,
  planCommand,
  manifestsCommand,
  preflightCommand,
  statusCommand,
  holdCommand,
  approveCommand,
  rollbackCommand,
  exportCommand,
  verifyCommand,
  doctorCommand,
  lockCommand,
  cleanupCommand,
  configCommand,
  rbacCommand,
  completionCommand,
  versionCommand,
];
