import { command, parsed, toggle } from '../command.ts';
import {
  changeFlags,
  clusterFlags,
  displayFlags,
  manifestFilesFlags,
  newRunIdFlag,
  outputFlag,
  passwordFlags,
  planFlag,
  policyFlags,
  runIdFlag,
} from '../flags.ts';
import { parseScale } from '../values.ts';

export const runFlags = {
  ...planFlag,
  ...runIdFlag,
  ...newRunIdFlag,
  fresh: toggle('Start a new run even when one waits to be resumed'),
  timeScale: parsed('N', 'On a rehearsal cluster (`rehearse --serve`): how many times faster soaks pass', parseScale),
  ...changeFlags,
  ...policyFlags,
  ...manifestFilesFlags,
  ...clusterFlags,
  ...passwordFlags,
  ...displayFlags,
  ...outputFlag,
};

export const runCommand = command({
  name: 'run',
  summary: 'Migrate, or resume a parked migration (the default command)',
  description:
    'Takes you through the migration on the cluster of your kubeconfig. A run that was parked or cut off on this cluster ' +
    'and namespace is resumed; before it acts it shows what the journal says, what the cluster says and what it will do. ' +
    'Without a terminal, --no-input makes the changes of the plan and ends with an exit code.',
  flags: runFlags,
  examples: [
    ['pgb-wizard', 'The wizard, on the current context.'],
    ['pgb-wizard run --context prod-eu-1 -n nova --plan nova.yaml --change CHG0031337', 'A change with its number.'],
    ['pgb-wizard run --no-input --on-failure rollback-service -o json', 'In a pipeline.'],
    ['pgb-wizard run --dry-run server --no-input', 'Every change checked by the API server, none made.'],
  ],
  async handler(invocation) {
    const { runMigration } = await import('../run-migration.ts');
    return runMigration(invocation);
  },
});
