/**
 * The frame around every screen: header, body, what is waited for, notice, keys. The rows around the body are the same
 * on every screen and the notice row is always kept, so that nothing that happens moves the layout under the cursor.
 */
import { header } from '../components/header.ts';
import {
  beside,
  fitLine,
  fitRows,
  type Line,
  lineWidth,
  span,
  truncateEnd,
  truncateMiddle,
  widthOf,
} from '../components/line.ts';
import { asciiLine } from '../components/paint.ts';
import type { Glyphs } from '../components/theme.ts';
import { waitingLine } from '../components/waiting.ts';
import type { Action } from './actions.ts';
import { actionsAt, keyName, labelOf, placeOf } from './keys.ts';
import { promptLines } from './prompt-box.ts';
import type { Body, View } from './screen.ts';

export const SMALLEST = { columns: 40, rows: 12 } as const;

/** Rows around the body: five with two rules, two fewer where every row counts. */
export function chromeRows(rows: number): number {
  return rows >= 24 ? 6 : 4;
}

export function rule(width: number, glyphs: Glyphs, join?: { at: number; glyph: string }): Line {
  if (join === undefined || join.at < 0 || join.at >= width) return [span(glyphs.h.repeat(width), 'rule')];
  return [span(glyphs.h.repeat(join.at) + join.glyph + glyphs.h.repeat(width - join.at - 1), 'rule')];
}

/** The whole frame: exactly `rows` lines of exactly `columns` cells. */
export function frameOf(view: View, body: Body, columns: number, rows: number): Line[] {
  const { snapshot, glyphs, now, ui } = view;
  const height = rows - chromeRows(rows);
  const rules = chromeRows(rows) === 6;
  const prompt = ui.prompt === undefined ? [] : promptLines(ui.prompt, columns, glyphs, height);
  const main = [...fitRows(body.lines, height).slice(0, height - prompt.length), ...prompt];
  const lines: Line[] = [
    header(snapshot, now, columns, glyphs),
    ...(rules
      ? [rule(columns, glyphs, body.join === undefined ? undefined : { at: body.join, glyph: glyphs.down })]
      : []),
    ...main,
    ...(rules ? [rule(columns, glyphs)] : []),
    waitingLine(snapshot, now, columns, glyphs),
    noticeLine(view, columns),
    footer(view, columns),
  ];
  return finish(lines, columns, rows, glyphs);
}

/** Exactly `rows` lines of `columns` cells, in ASCII where that is all there is. */
export function finish(lines: readonly Line[], columns: number, rows: number, glyphs: Glyphs): Line[] {
  return fitRows(lines, rows).map((line) => fitLine(glyphs.ascii ? asciiLine(line) : line, columns, glyphs.more));
}

function noticeLine(view: View, columns: number): Line {
  const { ui, snapshot, glyphs } = view;
  if (ui.filtering !== undefined)
    return [span(' filter: ', 'key'), span(`${ui.filtering}_`), span('   Enter applies, Esc stops', 'muted')];
  const shown = ui.notice?.until === undefined || view.sinceMs < ui.notice.until;
  if (ui.notice !== undefined && shown && (ui.notice.at ?? '') === (snapshot.ask?.id ?? ''))
    return [span(` ${truncateEnd(ui.notice.text, columns - 2, glyphs.more)}`, ui.notice.tone)];
  // An ask that is open behind another view is announced here and nowhere else.
  if (snapshot.ask !== undefined && ui.view !== 'home') {
    const { ask } = snapshot;
    const title = ask.kind === 'reconcile' ? 'the resume question' : ask.title;
    const said = ask.kind === 'failure' && ask.verdict === 'fail' ? 'FAILED' : 'you are asked';
    const how = `  ${keyName(view.keymap.back[0] ?? 'escape')} shows it`;
    const head = ` ${glyphs.warn} ${said}: `;
    return [
      span(`${head}${truncateMiddle(title, columns - widthOf(head) - widthOf(how), glyphs.more)}`, 'warn'),
      span(how, 'muted'),
    ];
  }
  const last = snapshot.messages[snapshot.messages.length - 1];
  if (last === undefined) return [];
  return [
    span(
      ` ${last.at.slice(11, 16)} ${last.text}`,
      last.level === 'info' ? 'muted' : last.level === 'warn' ? 'warn' : 'bad',
    ),
  ];
}

/** The keys of this place, dimmed where they can't be used; help and leave stay whatever the width. */
function footer(view: View, columns: number): Line {
  const { snapshot, ui, keymap } = view;
  if (ui.prompt !== undefined) return [span(' Esc', 'key'), span(' stop, nothing is sent', undefined)];
  // The promise of leaving stands in the help too; on a narrow terminal the keys are worth more.
  const label = (action: Action) =>
    columns < 80 ? (action.short ?? labelOf(action, snapshot, ui)) : labelOf(action, snapshot, ui);
  const hint = (action: Action): Line => {
    const off = action.unavailable?.(snapshot) !== undefined;
    return [
      span(` ${keyName(keymap[action.id][0] ?? '')}`, off ? 'muted' : 'key'),
      span(` ${label(action)} `, off ? 'muted' : undefined),
    ];
  };
  const shown = actionsAt(placeOf(ui, snapshot)).filter(
    (action) => action.footer !== undefined && action.id !== ui.view,
  );
  // After a failure and at a decision the way back is what one looks for; when a gate fails, before anything else.
  const { ask } = snapshot;
  const back = ask?.kind === 'decide' && ask.recommendation === 'rollback' ? 0.5 : 1;
  const asksBack = ask?.kind === 'failure' || ask?.kind === 'decide';
  // And then why it failed, before a hold of what stands still anyway.
  const why: Partial<Record<Action['id'], number>> = ask?.kind === 'failure' ? { doctor: 8, logs: 9 } : {};
  const place = (action: Action) =>
    asksBack && action.id === 'rollback' ? back : (why[action.id] ?? action.footer ?? 0);
  shown.sort((a, b) => place(a) - place(b));
  const ends = shown.filter((action) => action.id === 'help' || action.id === 'leave');
  const wanted =
    shown.find((action) => asksBack && action.id === 'rollback') ?? shown.find((action) => action.id === 'choose');
  const least = [shown[0], wanted].flatMap((action, index, all) =>
    action === undefined || all.indexOf(action) !== index ? [] : hint(action),
  );
  // `?` and `q` mean the same everywhere: they give up their words before the way back does.
  const whole = ends.map(hint);
  const last =
    lineWidth(least) + lineWidth(whole.flat()) <= columns ? whole : ends.map((action) => hint(action).slice(0, 1));
  if (last !== whole) last.push([span(' ')]);
  let room = columns - lineWidth(last.flat());
  const others = shown.filter((action) => action.id !== 'help' && action.id !== 'leave');
  const first: Line[] = [];
  for (const action of others) {
    // On a narrow terminal what can't be used gives way; pressed, it still says why.
    if (columns < 80 && action.unavailable?.(snapshot) !== undefined) continue;
    const one = hint(action);
    // What is too long gives way to what is not.
    if (lineWidth(one) > room) continue;
    room -= lineWidth(one);
    first.push(one);
  }
  return [...first.flat(), ...last.flat()];
}

/** A list at the left and its detail at the right, or only the list where it is narrow. */
export function split(
  view: View,
  leftWidth: number,
  left: readonly Line[],
  right: readonly Line[],
  rows = view.height,
): Body {
  return {
    lines: beside(left, right, {
      leftWidth,
      rightWidth: view.width - leftWidth - 1,
      rows,
      divider: span(view.glyphs.v, 'rule'),
    }),
    join: leftWidth,
  };
}
