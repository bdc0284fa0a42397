/** Completion scripts for three shells, from the command table. */
import { type AnyCommand, longName } from './command.ts';

export function completionScript(shell: 'bash' | 'zsh' | 'fish', table: readonly AnyCommand[]): string {
  if (shell === 'bash') return bash(table);
  if (shell === 'zsh') return zsh(table);
  return fish(table);
}

const flagsOf = (command: AnyCommand) =>
  Object.entries(command.flags)
    .filter(([, flag]) => !flag.hidden)
    .map(([key, flag]) => ({ long: `--${longName(key)}`, ...flag }));

function bash(table: readonly AnyCommand[]): string {
  const words = (command: AnyCommand) =>
    [
      ...flagsOf(command).map((flag) => flag.long),
      '--help',
      ...(command.arguments ?? []).flatMap((one) => one.choices ?? []),
    ].join(' ');
  const perCommand = table.map((command) => `    ${command.name}) words="${words(command)}" ;;`).join('\n');
  const choices = new Map<string, string>();
  const files = new Set<string>();
  for (const flag of table.flatMap(flagsOf)) {
    const names = flag.short ? `${flag.long}|-${flag.short}` : flag.long;
    if (flag.choices) choices.set(names, flag.choices.join(' '));
    if (flag.file) files.add(names);
  }
  const values = [...choices].map(
    ([names, list]) => `    ${names}) COMPREPLY=($(compgen -W "${list}" -- "$current")); return ;;`,
  );
  if (files.size > 0) values.push(`    ${[...files].join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;`);
  return `# bash completion for pgb-wizard
_pgb_wizard() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" word words
  case "$previous" in
${values.join('\n')}
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in
      ${table.map((command) => command.name).join('|')}) command="$word"; break ;;
    esac
  done
  case "$command" in
${perCommand}
    *) words="${table.map((command) => command.name).join(' ')} --help --version" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _pgb_wizard pgb-wizard
`;
}

const zshText = (text: string) =>
  text.replaceAll("'", "'\\''").replaceAll('[', '\\[').replaceAll(']', '\\]').replaceAll(':', '\\:');

function zsh(table: readonly AnyCommand[]): string {
  const list = table.map((command) => `    '${command.name}:${zshText(command.summary)}'`).join('\n');
  const cases = table.map((command) => {
    const flags = flagsOf(command).map((flag) => {
      const action = flag.choices ? `(${flag.choices.join(' ')})` : flag.file ? '_files' : '';
      const value = flag.value ? `:${flag.choices ? 'choice' : zshText(flag.value)}:${action}` : '';
      return `        '${flag.repeatable ? '*' : ''}${flag.long}[${zshText(flag.summary)}]${value}'`;
    });
    const args = (command.arguments ?? []).map((one) => `        ':${one.name}:(${(one.choices ?? []).join(' ')})'`);
    return `      ${command.name})\n        _arguments \\\n${[...flags, ...args, "        '--help[Show the help]'"].join(' \\\n')}\n        ;;`;
  });
  return `#compdef pgb-wizard
_pgb-wizard() {
  local -a commands
  commands=(
${list}
  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local chosen="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$chosen" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_pgb-wizard" ]; then _pgb-wizard "$@"; else compdef _pgb-wizard pgb-wizard; fi
`;
}

const fishText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fish(table: readonly AnyCommand[]): string {
  const lines = ['# fish completion for pgb-wizard', 'complete -c pgb-wizard -f'];
  for (const command of table) {
    lines.push(`complete -c pgb-wizard -n __fish_use_subcommand -a ${command.name} -d ${fishText(command.summary)}`);
    const seen = `-n ${fishText(`__fish_seen_subcommand_from ${command.name}`)}`;
    for (const argument of command.arguments ?? []) {
      if (argument.choices) lines.push(`complete -c pgb-wizard ${seen} -a ${fishText(argument.choices.join(' '))}`);
    }
    for (const flag of flagsOf(command)) {
      const value = flag.choices
        ? ` -x -a ${fishText(flag.choices.join(' '))}`
        : flag.file
          ? ' -r -F'
          : flag.value
            ? ' -x'
            : '';
      const short = flag.short ? ` -s ${flag.short}` : '';
      lines.push(
        `complete -c pgb-wizard ${seen} -l ${flag.long.slice(2)}${short}${value} -d ${fishText(flag.summary)}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
