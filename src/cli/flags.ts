/** Flags that several commands share. kubectl's are spelt exactly as kubectl spells them. */
import { choice, parsed, text, toggle } from './command.ts';
import { parseDuration, parseName } from './values.ts';

export const ON_FAILURE = ['stop', 'rollback-service', 'rollback-phase', 'rollback-all'] as const;

/** Which cluster, and as whom. */
export const clusterFlags = {
  kubeconfig: text('FILE', 'Path of the kubeconfig file', {
    group: 'cluster',
    initially: 'KUBECONFIG, ~/.kube/config',
    file: true,
  }),
  context: text('NAME', 'Context of the kubeconfig to use', { group: 'cluster', initially: 'the current context' }),
  namespace: text('NAME', 'Namespace of the services', { short: 'n', group: 'cluster', initially: 'of the plan' }),
  as: text('USER', 'User to impersonate', { group: 'cluster' }),
  requestTimeout: parsed('DURATION', 'Limit of one request to the API server', parseDuration, {
    group: 'cluster',
    initially: '30s',
  }),
};

export const planFlag = {
  plan: text('FILE', 'Plan of the migration', {
    initially: "pgb-wizard.yaml here, else the guide's plan 'nova'",
    file: true,
  }),
};

export const runIdFlag = {
  run: parsed('ID', 'Run to work on', parseName('the id of a run', /^[A-Za-z0-9][A-Za-z0-9-]{2,63}$/), {
    initially: 'the newest',
  }),
};

export const newRunIdFlag = {
  runId: parsed(
    'ID',
    'Id of the new run: the one of a Role that names its objects',
    parseName('8 of a-z and 0-9', /^[a-z0-9]{8}$/),
    {
      initially: 'a random one',
    },
  ),
};

export const outputFlag = {
  output: choice(['json', 'yaml', 'wide'], 'Format of the data on standard output', { short: 'o', group: 'output' }),
};

/** How things are shown. */
export const displayFlags = {
  noColor: toggle('No colours (also NO_COLOR)', { group: 'output' }),
  ascii: toggle('Only ASCII characters', { group: 'output' }),
  accessible: toggle('Linear output for screen readers: no redraw, numbered questions', { group: 'output' }),
  keymap: text('FILE', 'Keys and notifications of the screen', {
    group: 'output',
    initially: '~/.config/pgb-wizard/config.yaml',
    file: true,
  }),
  notifyCommand: text(
    'COMMAND',
    'Run when a decision is due or something fails, with a sentence about it as the last argument',
    {
      group: 'output',
      initially: 'only the bell of the terminal',
    },
  ),
  theme: choice(
    ['terminal', 'dark', 'light', 'colour-blind', 'colour-blind-light', 'none'],
    'Colours of the screen (default: light where COLORFGBG says so, else terminal)',
    { group: 'output' },
  ),
};

/** Passwords never come as arguments: files, standard input, a Secret, the guide's three variables, or generated. */
export const passwordFlags = {
  rolePasswordFile: text('FILE', "Password of the services' PostgreSQL role, `-` for standard input", {
    group: 'passwords',
    initially: "PGBOUNCER_NOVA_USER_PASS, else taken from the services' own address",
    file: true,
  }),
  adminPasswordFile: text('FILE', "Password of PgBouncer's admin user, `-` for standard input", {
    group: 'passwords',
    initially: 'PGBOUNCER_ADMIN_PASS, else generated',
    file: true,
  }),
  statsPasswordFile: text('FILE', "Password of PgBouncer's stats user, `-` for standard input", {
    group: 'passwords',
    initially: 'PGBOUNCER_STATS_USER_PASS, else generated',
    file: true,
  }),
  passwordSecret: parsed(
    'NAME',
    'Secret in the namespace with the keys role, admin and stats (each optional)',
    parseName('the name of a Secret', /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/),
    { group: 'passwords' },
  ),
};

/** What a run without a terminal answers when it would have asked. */
export const policyFlags = {
  noInput: toggle("Never ask: the plan's changes are made, gates and failures are answered by the policy flags"),
  yes: toggle('With a screen: confirm each previewed change by itself; decisions, failures and typed names still ask'),
  approve: choice(['all', 'none'], 'With --no-input: make the changes, or park before the first one', {
    initially: 'all',
  }),
  onFailure: choice(ON_FAILURE, 'With --no-input: what follows a failed step', { initially: 'stop' }),
  onBlocked: choice(
    ['stop', 'skip'],
    "With --no-input: services that can't be moved as they are stop the run, or are left out with their reason",
    { initially: 'stop' },
  ),
  onInconclusive: choice(['stop', 'accept'], 'With --no-input: what follows a check that could not be measured', {
    initially: 'stop',
  }),
};

export const changeFlags = {
  change: parsed('NUMBER', 'Number of the change ticket, for the record', parseName('the number of a change')),
  changeTitle: text('TEXT', 'Title of the change, at most 160 characters'),
  dryRun: choice(
    ['none', 'client', 'server'],
    'Make no change: look only (client), or let the API server check each one (server)',
    {
      initially: 'none',
    },
  ),
  stopAfter: parsed(
    'ID',
    'Park the run after this phase (p1) or step (p1.prepare)',
    parseName('the id of a phase or step'),
  ),
};

/** Files that the services are made from, beside the cluster. */
export const manifestFilesFlags = {
  manifestsDir: text('DIR', "Folder of the services' manifests: p1.prepare shows what the change means for them", {
    file: true,
  }),
  writeManifests: toggle('Write those files too: once p1.prepare is confirmed, and back with a service that goes back'),
};
