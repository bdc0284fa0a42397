import { command, many, text, toggle } from '../command.ts';
import { clusterFlags, newRunIdFlag, outputFlag, planFlag, runIdFlag } from '../flags.ts';
import { parseName } from '../values.ts';

export const manifestsFlags = {
  dir: text('DIR', 'Folder of the manifests, in a working tree', { file: true }),
  write: toggle('Write the files; without it nothing is written'),
  revert: toggle("The way back: the services' original addresses"),
  shared: toggle('Also edit bases of kustomize that several overlays build on'),
  pooler: toggle("Print the pooler's own objects as they were applied, for your repository"),
  service: many('NAME', 'Only this service', parseName('the name of a service'), { initially: 'all of the plan' }),
  ...runIdFlag,
  ...newRunIdFlag,
  ...planFlag,
  ...clusterFlags,
  ...outputFlag,
};

export const manifestsCommand = command({
  name: 'manifests',
  summary: 'Make the change of each service in manifest files too',
  description:
    'Argo CD, Flux, Helm or the next `kubectl apply` put the old address back unless the files they take it from are changed ' +
    'as well. Shows a unified diff of the same edits as on the cluster, with passwords as dots; with --write it makes them, ' +
    'and comments, order, quoting and line ends stay. A change of the newest run in the cluster is taken from its ' +
    'originals; without a run it is planned anew, and --run-id names the run that will follow.\n' +
    'No Secret is ever written: it says what has to be done for each. Ends with 5 when a document differs from the cluster, ' +
    'stands more than once, or can only be changed by hand.\n' +
    'With --pooler it prints the objects of the pooler that a run has applied, without what the server added.',
  flags: manifestsFlags,
  examples: [
    ['pgb-wizard manifests --dir deploy/prod', 'What would be changed, as a diff.'],
    ['pgb-wizard manifests --dir deploy/prod --run 1a2b3c4d --write', 'Makes the change of that run in the files.'],
    ['pgb-wizard manifests --dir . --service auth-service --revert --write', 'The way back of one service.'],
    ['pgb-wizard manifests --pooler > deploy/prod/pgbouncer.yaml', 'The pooler, to be applied from Git from now on.'],
  ],
  async handler(invocation) {
    if (invocation.values.pooler) {
      const { poolerManifests } = await import('../pooler-manifests.ts');
      return poolerManifests(invocation);
    }
    const { manifests } = await import('../manifests.ts');
    return manifests(invocation);
  },
});
