/** Help: the keys of the place one came from, made from the registry. */
import { type Line, padEnd, span, wrapWords } from '../components/line.ts';
import type { Action } from './actions.ts';
import { actionsAt, keyName, placeOf } from './keys.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function helpScreen(view: View): Body {
  const { snapshot, width, glyphs, keymap } = view;
  const below = placeOf({ ...view.ui, view: 'home' }, snapshot);
  const own = actionsAt(below).filter((action) => action.where !== undefined);
  const common = actionsAt(below).filter((action) => action.where === undefined);
  const column = width < 56 ? 8 : 16;
  const rowsOf = (action: Action): Line[] => {
    const why = action.unavailable?.(snapshot);
    // On a narrow terminal one key of each is enough.
    const names = keymap[action.id].map(keyName);
    const keys = width < 56 ? (names[0] ?? '') : names.join(' ');
    const text = why === undefined ? action.help : `${action.help} Not now: ${why}.`;
    return wrapWords(text, Math.max(10, width - column - 2)).map((row, index) => [
      span(` ${padEnd(index === 0 ? keys : '', column, glyphs.more)}`, why === undefined ? 'key' : 'muted'),
      span(row, why === undefined ? undefined : 'muted'),
    ]);
  };
  const head: Line[] = [
    [span(' Keys', 'title'), span('   no single key changes anything; what changes asks twice', 'muted')],
    [],
  ];
  const content: Line[] = [
    ...(own.length === 0 ? [] : [[span(' here', 'title')] as Line, ...own.flatMap(rowsOf), [] as Line]),
    [span(' everywhere', 'title')],
    ...common.flatMap(rowsOf),
    [],
    [span(' signs', 'title')],
    [
      span(`   ${glyphs.ok} pass`, 'ok'),
      span(`  ${glyphs.bad} FAIL`, 'bad'),
      span(`  ${glyphs.unknown} unknown: could not be measured`, 'warn'),
    ],
    [
      span(`   ${glyphs.running} running`, 'info'),
      span(`  ${glyphs.todo} to do  ${glyphs.decide} decision  ${glyphs.back} rolled back`, 'muted'),
    ],
  ];
  return { lines: scrolled(view, head, content, 'help') };
}
