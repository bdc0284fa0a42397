/** Arguments → an invocation: commander does the words, the flag table gives them their types. */
import { Command as CommanderCommand, CommanderError, InvalidArgumentError, Option } from 'commander';
import { err, fail, ok, type Result, type WizardError, wizardError } from '../engine/result.ts';
import { type AnyCommand, type Flag, type FlagGroup, longName } from './command.ts';
import { suggestion } from './values.ts';

export type Parsed =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'run';
      readonly command: AnyCommand;
      readonly values: Record<string, unknown>;
      readonly args: string[];
    };

export const DEFAULT_COMMAND = 'run';

const TITLE =
  'Moves the services of a Kubernetes namespace from direct PostgreSQL to PgBouncer, step by step and reversibly.';

const GROUP_TITLES: Readonly<Record<FlagGroup, string>> = {
  command: 'Options:',
  cluster: 'Cluster (as kubectl has them):',
  passwords: 'Passwords (never as arguments):',
  output: 'Output:',
};

/** A wrong flag value on its way through commander, which knows only its own errors. */
class RefusedValue extends InvalidArgumentError {
  readonly error: WizardError;
  constructor(error: WizardError) {
    super(error.message);
    this.error = error;
  }
}

/** Parses `argv` (without node and script). Never exits, never prints. */
export function parseArguments(argv: readonly string[], table: readonly AnyCommand[]): Result<Parsed> {
  const words = hoistCommand(argv, table);
  if (!words.ok) return words;
  const [name, ...rest] = words.value;
  if (name === undefined) return ok({ kind: 'help', text: rootProgram(table).helpInformation() });
  if (name === '--version') return ok({ kind: 'version' });
  const spec = table.find((one) => one.name === name)!;
  const program = commanderFor(spec);
  if (asksForHelp(rest)) return ok({ kind: 'help', text: helpOf(program, spec) });
  try {
    program.parse(rest, { from: 'user' });
  } catch (error) {
    return err(usageError(error, spec));
  }
  const wrong = (spec.arguments ?? []).flatMap((argument, i) => {
    const given = program.args[i];
    if (given === undefined || !argument.choices || argument.choices.includes(given)) return [];
    const message = `'${given}' is not one of ${argument.choices.join(', ')}.${suggestion(given, argument.choices)}`;
    return [wizardError('usage', message, { next: [`See \`pgb-wizard ${spec.name} --help\`.`] })];
  });
  if (wrong[0]) return err(wrong[0]);
  const given = program.opts();
  const values = Object.fromEntries(
    Object.entries(spec.flags).map(([key, flag]) => {
      const negative = /^no[A-Z]/.test(key);
      const value = negative ? given[negatedKey(key)] === false : given[key];
      return [key, value ?? flag.initial];
    }),
  );
  return ok({ kind: 'run', command: spec, values, args: [...program.args] });
}

/**
 * The command word first, whatever flags stand before it (`pgb-wizard --context x status`, as kubectl allows); without a
 * word the default command. An empty list means the general help was asked for.
 */
function hoistCommand(argv: readonly string[], table: readonly AnyCommand[]): Result<string[]> {
  const takesValue = new Set<string>();
  for (const spec of table) {
    for (const [key, flag] of Object.entries(spec.flags)) {
      if (flag.value === undefined) continue;
      takesValue.add(`--${longName(key)}`);
      if (flag.short) takesValue.add(`-${flag.short}`);
    }
  }
  let at = 0;
  while (at < argv.length) {
    const word = argv[at]!;
    if (word === '--') break;
    if (!word.startsWith('-') || word === '-') {
      const rest = [...argv.slice(0, at), ...argv.slice(at + 1)];
      if (word === 'help') {
        const topic = rest.find((one) => !one.startsWith('-'));
        if (topic === undefined) return ok([]);
        return table.some((one) => one.name === topic) ? ok([topic, '--help']) : unknownCommand(topic, table);
      }
      return table.some((one) => one.name === word) ? ok([word, ...rest]) : unknownCommand(word, table);
    }
    at += takesValue.has(word) ? 2 : 1;
  }
  if (asksForHelp(argv)) return ok([]);
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) return ok(['--version']);
  return ok([DEFAULT_COMMAND, ...argv]);
}

function unknownCommand(word: string, table: readonly AnyCommand[]): Result<never> {
  const near = suggestion(
    word,
    table.map((one) => one.name),
  );
  return fail('usage', `'${word}' is not a command of pgb-wizard.${near}`, { next: ['See `pgb-wizard --help`.'] });
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).some((word) => word === '--help' || word === '-h');
}

/** `noColor` → `color`: how commander names the positive of `--no-color`. */
const negatedKey = (key: string) => key.charAt(2).toLowerCase() + key.slice(3);

/** As wide as the terminal, within what reads well. */
const helpWidth = () => Math.max(60, Math.min(process.stdout.columns ?? 100, 100));

/** A line that ends within a sentence goes on in the next one: where a line breaks is the terminal's affair. */
const reflow = (text: string) => text.replace(/([^.:!?\n])\n(?=\S)/g, '$1 ');

function commanderFor(spec: AnyCommand): CommanderCommand {
  const program = new CommanderCommand(`pgb-wizard ${spec.name}`)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .configureHelp({ showGlobalOptions: false, helpWidth: helpWidth() })
    .helpOption('-h, --help', 'Show this help')
    .description(reflow(spec.description ?? `${spec.summary}.`))
    .allowExcessArguments(false);
  for (const argument of spec.arguments ?? []) {
    const word = argument.choices?.join('|') ?? argument.name;
    program.argument(argument.optional ? `[${word}]` : `<${word}>`, argument.summary);
  }
  for (const [key, flag] of Object.entries(spec.flags)) {
    const words = `${flag.short ? `-${flag.short}, ` : ''}--${longName(key)}${flag.value ? ` <${flag.value}>` : ''}`;
    const option = new Option(words, flagSummary(flag));
    if (flag.value !== undefined) {
      option.argParser((text: string, before: unknown) => {
        const result = flag.parse(text);
        if (!result.ok) throw new RefusedValue(result.error);
        return flag.repeatable ? [...((before as unknown[] | undefined) ?? []), result.value] : result.value;
      });
    }
    if (flag.hidden) option.hideHelp();
    program.addOption(option.helpGroup(GROUP_TITLES[flag.group]));
  }
  return program;
}

/** The summary with the choices, whether it repeats, and what an absent flag means. */
export function flagSummary(flag: Flag<unknown>): string {
  const choices = flag.choices && flag.value === 'WORD' ? `: ${flag.choices.join(', ')}` : '';
  const repeats = flag.repeatable ? '; may be repeated' : '';
  return `${flag.summary}${choices}${repeats}${flag.initially ? ` (default: ${flag.initially})` : ''}`;
}

function helpOf(program: CommanderCommand, spec: AnyCommand): string {
  const examples = (spec.examples ?? []).map(([line, what]) => `  ${line}\n      ${what}\n`).join('');
  return program.helpInformation() + (examples ? `\nExamples:\n${examples}` : '');
}

function rootProgram(table: readonly AnyCommand[]): CommanderCommand {
  const program = new CommanderCommand('pgb-wizard')
    .usage('[command] [options]')
    .description(
      `${TITLE}\n\nWithout a command: run. New here? Try \`pgb-wizard rehearse\`, a safe copy of the real thing.`,
    )
    .configureHelp({ helpWidth: helpWidth(), subcommandTerm: (command) => command.name() })
    .helpOption('-h, --help', 'Show this help; `pgb-wizard COMMAND --help` shows a command')
    .option('-V, --version', 'Show the version');
  for (const spec of table) program.command(spec.name).description(spec.summary);
  return program.helpCommand(false);
}

/** Commander's complaints in our words. */
function usageError(error: unknown, spec: AnyCommand): WizardError {
  if (!(error instanceof CommanderError)) throw error;
  const next = [`See \`pgb-wizard ${spec.name} --help\`.`];
  // A refused value: commander has wrapped the message as "option '--x <y>' argument 'z' is invalid. MESSAGE".
  const invalid = /^error: option '(.*?)' argument '.*?' is invalid\. (.*)$/s.exec(error.message);
  if (invalid) {
    const flag = /--[a-z-]+/.exec(invalid[1]!)?.[0] ?? invalid[1]!;
    return wizardError('usage', `${flag}: ${invalid[2]}`, { next });
  }
  if (error.code === 'commander.unknownOption') {
    const word = /'([^']*)'/.exec(error.message)?.[1] ?? '';
    const known = Object.keys(spec.flags).map((key) => `--${longName(key)}`);
    const near = suggestion(word.split('=')[0]!, [...known, '--help']);
    return wizardError('usage', `${word} is not a flag of \`pgb-wizard ${spec.name}\`.${near}`, { next });
  }
  const message = error.message.replace(/^error: /, '').split('\n')[0]!;
  return wizardError('usage', `${message.charAt(0).toUpperCase()}${message.slice(1)}`, { next });
}
