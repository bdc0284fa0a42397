import { command, parsed, text, toggle } from '../command.ts';
import { clusterFlags, outputFlag } from '../flags.ts';
import { parseEndpoint } from '../values.ts';

export const initFlags = {
  postgres: parsed('SERVICE:PORT', 'Service of PostgreSQL in the namespace', parseEndpoint, {
    initially: 'postgres:5432',
  }),
  env: text('NAME', "Variable with the services' database address", { initially: 'DATABASE_URL' }),
  poolerImage: text('IMAGE', 'Image of PgBouncer for the plan (pooler.image)'),
  exporterImage: text('IMAGE', 'Image of the Prometheus exporter for the plan (pooler.exporterImage)'),
  to: text('FILE', 'Plan file to write, `-` for standard output', { initially: 'pgb-wizard.yaml', file: true }),
  force: toggle('Replace a file that is there'),
  ...clusterFlags,
  ...outputFlag,
};

export const initCommand = command({
  name: 'init',
  summary: 'Write a plan file by looking at the cluster',
  description:
    'Finds every workload that reaches PostgreSQL directly and puts it into a phase: few replicas first, gateways last.\n' +
    'Reads only. Look the plan over before you run it: nobody but you knows which services matter most.',
  flags: initFlags,
  examples: [
    ['pgb-wizard init --context prod-eu-1 -n shop', 'A plan for the namespace shop.'],
    ['pgb-wizard init --pooler-image registry.example/pgbouncer:1.24.1', 'With the image that the pooler pods run.'],
    ['pgb-wizard init --postgres db-primary:5432 --to -', 'To standard output.'],
  ],
  async handler(invocation) {
    const { init } = await import('../init.ts');
    return init(invocation);
  },
});
