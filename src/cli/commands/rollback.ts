import { command, text, toggle } from '../command.ts';
import {
  clusterFlags,
  displayFlags,
  manifestFilesFlags,
  outputFlag,
  passwordFlags,
  policyFlags,
  runIdFlag,
} from '../flags.ts';

export const rollbackFlags = {
  ...runIdFlag,
  service: text('NAME', 'Bring this service back to its original address'),
  phase: text('ID', 'Bring back every service of this phase (p2, p3, p4)'),
  all: toggle('Bring back every service; the pooler stays, unused'),
  noInput: policyFlags.noInput,
  ...manifestFilesFlags,
  ...clusterFlags,
  ...passwordFlags,
  ...displayFlags,
  ...outputFlag,
};

export const rollbackCommand = command({
  name: 'rollback',
  summary: 'Bring a service, a phase or everything back, to the byte',
  description:
    'A live run is told, and asks in its own terminal before it acts. A parked run is resumed here with the rollback as its ' +
    'first act; without a terminal add --no-input.',
  flags: rollbackFlags,
  examples: [
    ['pgb-wizard rollback --service auth-service', 'One service.'],
    ['pgb-wizard rollback --all --no-input -o json', 'Everything, in a pipeline.'],
  ],
  async handler(invocation) {
    const { rollback } = await import('../rollback.ts');
    return rollback(invocation);
  },
});
