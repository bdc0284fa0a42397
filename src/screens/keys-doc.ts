/** docs/keys.md, made from the key registry. */
import { ACTIONS, type Action, keyName } from './keys.ts';

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
    'Generated from `src/screens/keys.ts`; do not edit.',
    '',
    'No single key changes anything. What changes something opens a question that wants `y` and then `Enter`, or a typed',
    'name and `Enter`; any other key stops it with nothing sent. A key that cannot be used now is dimmed, and says why when',
    'it is pressed. Pasted text fills a field and never confirms.',
    '',
    '| Keys | Action | Where | What it does |',
    '|---|---|---|---|',
    ...ACTIONS.map(row),
    '',
    'Actions can be given other keys by their name; two actions with one key in one place are refused. `Ctrl+C` cannot be',
    'taken away.',
    '',
  ].join('\n');
}
