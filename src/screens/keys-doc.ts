/** docs/keys.md, made from the key registry. */
import { ACTIONS, type Action } from './actions.ts';
import { keyName } from './keys.ts';

/** The whole page; `npm run docs` writes it and a test compares. */
export function keysDoc(): string {
  const row = (action: Action): string => {
    const keys = action.keys.map((key) => `\`${keyName(key)}\``).join(' ');
    const where =
      action.where === undefined
        ? 'everywhere'
        : action.where.map((place) => place.replace('ask.', 'asked: ')).join(', ');
    return `| ${keys} | \`${action.id}\` | ${where} | ${action.help} |`;
  };
  return [
    '# Keys',
    '',
    'Generated from `src/screens/actions.ts`; do not edit.',
    '',
    'No single key changes anything. What changes something opens a question that wants `Enter`, or a typed name and',
    '`Enter`; any other key stops it with nothing sent. The key that opens a question is never the key that sends it, so',
    'that neither a key held down nor one struck twice changes anything. A key that cannot be used now is dimmed, and says',
    'why when it is pressed. Pasted text fills a field and never confirms.',
    '',
    '| Keys | Action | Where | What it does |',
    '|---|---|---|---|',
    ...ACTIONS.map(row),
    '',
    '## Other keys',
    '',
    'Actions are given other keys by name, in `~/.config/pgb-wizard/config.yaml` (or under `$XDG_CONFIG_HOME`), or in the',
    'file that `--keymap` names:',
    '',
    '```yaml',
    'keys:',
    '  leave: [Q]',
    '  logs: [L]',
    '```',
    '',
    'Unknown actions, and two actions with one key in one place, are refused before anything starts. `Ctrl+C` cannot be',
    'taken away. Special keys are named `enter`, `escape`, `space`, `tab`, `up`, `down`, `pageup`, `pagedown`, `home`,',
    '`end`, `backspace`, `ctrl+x`.',
    '',
    '## Being told',
    '',
    'The bell of the terminal rings once for a question that nobody who sits at the keyboard has seen come: a decision whose',
    'soak is over or one of whose gates fails, a failure, a change to confirm. So does a notification, where one is configured:',
    '',
    '```yaml',
    'notify:',
    '  command: [notify-send, --urgency, critical]   # or one line, split at its blanks',
    '  webhook: https://hooks.example.com/services/…  # gets {"text": "…"} by POST',
    '```',
    '',
    'The text is `pgb-wizard NAMESPACE (run ID): TITLE`. A command is stopped after 10 s, a webhook is given up after 5 s; what',
    'fails is said on the screen, by program or host only, and changes nothing in the run. `--notify-command` goes before the file.',
    '',
  ].join('\n');
}
