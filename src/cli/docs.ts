/** docs/commands.md, from the command table and the exit codes. */
import { type AnyCommand, type FlagGroup, longName } from './command.ts';
import { flagSummary } from './parse.ts';

const GROUPS: readonly (readonly [FlagGroup, string])[] = [
  ['command', 'Flags'],
  ['cluster', 'Cluster'],
  ['passwords', 'Passwords'],
  ['output', 'Output'],
];

const EXIT_CODES = [
  ['0', 'done'],
  ['1', 'failed'],
  ['2', 'usage: a flag, a plan or a kubeconfig is wrong, or an answer is missing and there is nobody to ask'],
  ['3', 'parked, resumable; the command that resumes it is printed'],
  ['4', 'not authorised'],
  ['5', 'a gate failed, not rolled back'],
  ['6', 'rolled back'],
  ['7', 'locked by someone else'],
  ['8', 'outside of the change window'],
  ['9', 'the plan or the cluster is not the one of this run'],
  ['10', 'the verification of a record failed'],
  ['129, 130, 143', 'the terminal was closed, SIGINT, SIGTERM; the run is parked or can be resumed'],
] as const;

const ANSWERS = `## Questions and their flags

| question | flag | without an answer and without a terminal |
|---|---|---|
| screen or no screen | \`--no-input\` | an error that names the flag |
| context, when the kubeconfig has no current one | \`--context\` | an error that names the flag |
| which of several waiting runs, or a new one | \`--run\`, \`--fresh\` | one waiting run is resumed; with several an error |
| make this change? | \`--approve all\\|none\` (\`--yes\` with a screen) | \`all\`: \`--no-input\` means the plan is the approval |
| a step failed | \`--on-failure\` | \`stop\`: the run is parked, or ends with 5 |
| a check could not be measured | \`--on-inconclusive\` | \`stop\` |
| passwords | files, standard input, a Secret, three variables | taken from the services' own address, or generated |

\`--yes\` confirms the previews of a run with a screen by itself. It never answers a decision, a failure, a rollback, a
resume, or a change that wants a typed name.

Passwords are never arguments. \`PGBOUNCER_NOVA_USER_PASS\`, \`PGBOUNCER_ADMIN_PASS\` and \`PGBOUNCER_STATS_USER_PASS\` are
read once and taken out of the environment before any other program is started.

## JSON

With \`-o json\` (or \`yaml\`) a command prints one document on standard output; everything else goes to standard error:

\`\`\`json
{"schema": "pgb-wizard/v1", "command": "run", "runId": "7f3a91c2", "outcome": "done", "exitCode": 0}
\`\`\`

A run adds \`services\` (\`name\`, \`phase\`, \`state\`: \`direct\`, \`switching\`, \`pooled\`, \`rolled-back\`), \`steps\` (\`id\`,
\`guide\`, \`title\`, \`state\`: \`todo\`, \`running\`, \`pass\`, \`fail\`, \`inconclusive\`, \`waived\`, \`skipped\`, with
\`evidence\`, and \`cause\` and \`hint\` on a failure), \`checklist\` and \`journal\` (\`path\`, \`events\`, \`headHash\`); a
rehearsal adds \`load\`, a parked run \`resume\`. A command that fails has \`error\` with \`code\`, \`message\`, \`cause\`,
\`next\` and \`retryable\`. \`status -w -o json\` prints one such document for each change.

## Environment

| variable | meaning |
|---|---|
| \`KUBECONFIG\` | as kubectl reads it |
| \`PGB_WIZARD_HOME\` | folder of journals and records, else \`$XDG_STATE_HOME/pgb-wizard\`, else \`~/.local/state/pgb-wizard\` |
| \`PGB_WIZARD_OPERATOR\` | the person behind a shared account |
| \`PGB_WIZARD_DEBUG\` | with a bug, also print its stack |
| \`NO_COLOR\`, \`TERM=dumb\` | no colours; no screen |

## As a kubectl plugin

A link named \`kubectl-pgb_wizard\` on the PATH makes it \`kubectl pgb-wizard\`; every flag is the same.
`;

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

export function commandsPage(table: readonly AnyCommand[]): string {
  const list = table.map((command) => `| [\`${command.name}\`](#${command.name}) | ${cell(command.summary)} |`);
  const codes = EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return [
    '# Commands',
    '',
    'Made from the command table by `npm run docs`. `pgb-wizard COMMAND --help` says the same.',
    '',
    '| command | |',
    '|---|---|',
    ...list,
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '|---|---|',
    ...codes,
    '',
    ANSWERS,
    ...table.map(section),
  ].join('\n');
}

function section(command: AnyCommand): string {
  const words = (command.arguments ?? []).map((one) => ` ${one.choices?.join('|') ?? one.name}`).join('');
  const flags = Object.entries(command.flags).filter(([, flag]) => !flag.hidden);
  const tables = GROUPS.flatMap(([group, title]) => {
    const rows = flags
      .filter(([, flag]) => flag.group === group)
      .map(([key, flag]) => {
        const short = flag.short ? `-${flag.short}, ` : '';
        return `| \`${short}--${longName(key)}${flag.value ? ` ${flag.value.replaceAll('|', '\\|')}` : ''}\` | ${cell(flagSummary(flag))} |`;
      });
    return rows.length === 0 ? [] : ['', `| ${title} | |`, '|---|---|', ...rows];
  });
  const examples = (command.examples ?? []).flatMap(([line, what]) => [`# ${what}`, line]);
  return [
    `## ${command.name}`,
    '',
    command.description ?? `${command.summary}.`,
    '',
    '```sh',
    `pgb-wizard ${command.name}${words}`,
    ...examples,
    '```',
    ...tables,
    '',
  ].join('\n');
}
