import { command, many, parsed, toggle } from '../command.ts';
import { changeFlags, displayFlags, outputFlag, planFlag, policyFlags, runIdFlag } from '../flags.ts';
import { parseDuration, parseInteger, parseName, parseScale } from '../values.ts';

export const rehearseFlags = {
  timeScale: parsed('N', 'How many times faster soaks and observation windows pass', parseScale, { initially: '60' }),
  fault: many(
    'KIND[:SERVICE]',
    'Fault to practise on',
    parseName('a fault', /^[a-z][a-z-]*(:[a-z0-9]([a-z0-9-]*[a-z0-9])?)?$/),
  ),
  services: parsed('N', 'Services in the cluster', parseInteger(1, 1000), { initially: "the guide's 16" }),
  seed: parsed('N', 'Seed of everything that is random', parseInteger(0, 2 ** 32 - 1)),
  port: parsed('N', 'Port of the API server', parseInteger(1, 65535), { initially: 'a free one' }),
  serve: toggle('Only run the cluster; the first line on standard output is KUBECONFIG=PATH'),
  linger: parsed('DURATION', 'How long the cluster stays for a run that was parked or cut off', parseDuration, {
    initially: '10m; without a screen 0s for one that was cut off',
  }),
  held: toggle('With --serve: end when standard input ends', { hidden: true }),
  ...planFlag,
  ...runIdFlag,
  fresh: toggle('Start a new cluster even when one waits'),
  ...changeFlags,
  ...policyFlags,
  onFailure: { ...policyFlags.onFailure, initially: 'rollback-service' },
  ...displayFlags,
  ...outputFlag,
};

export const rehearseCommand = command({
  name: 'rehearse',
  summary: 'Practise on an embedded cluster with a real PostgreSQL and real PgBouncers',
  description:
    'Starts a simulated Kubernetes API in front of a real PostgreSQL, real PgBouncer processes and services with live ' +
    'load, and runs the wizard on it. Needs PostgreSQL and PgBouncer on this machine; touches no other cluster.',
  flags: rehearseFlags,
  examples: [
    ['pgb-wizard rehearse', 'The whole migration, an hour of soak in a minute.'],
    ['pgb-wizard rehearse --fault crashloop:auth-service', 'With a service that will not start after its switch.'],
    ['pgb-wizard rehearse --no-input --time-scale 600 -o json', 'Without a terminal, one JSON document at the end.'],
    ['pgb-wizard rehearse --serve --no-input', 'Only the cluster, for kubectl: the first line names its kubeconfig.'],
  ],
  async handler(invocation) {
    const { rehearse } = await import('../rehearse.ts');
    return rehearse(invocation);
  },
});
