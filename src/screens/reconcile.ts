/** Resume: journal says / cluster says / will do, before anything is done. */
import { fitRows, type Line, padEnd, span, wrapWords } from '../components/line.ts';
import type { Tone } from '../components/theme.ts';
import type { Ask, ReconcileRow } from '../engine/run/model.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

const WORD: Readonly<Record<ReconcileRow['verdict'], { readonly word: string; readonly tone: Tone }>> = {
  agrees: { word: 'agrees', tone: 'ok' },
  continue: { word: 'goes on', tone: 'info' },
  ask: { word: 'asks', tone: 'warn' },
  stop: { word: 'STOP', tone: 'bad' },
};

export function reconcileScreen(view: View, ask: Extract<Ask, { kind: 'reconcile' }>): Body {
  const { width, snapshot, glyphs } = view;
  const head: Line[] = [
    [
      span(` ${glyphs.decide} `, 'warn'),
      span(`Resume run ${snapshot.runId}?`, 'title'),
      span('   nothing has been done yet', 'muted'),
    ],
    [],
  ];
  const agreeing = ask.rows.filter((row) => row.verdict === 'agrees');
  // What does not agree is what one is asked about.
  const rows = [...ask.rows.filter((row) => row.verdict !== 'agrees'), ...agreeing];
  if (rows.length === 0)
    return { lines: scrolled(view, head, [[span(' No service was switched: there is nothing to compare.')]], ask.id) };
  const content = width >= 80 ? table(rows, width) : stacked(rows, width);
  return {
    lines: scrolled(
      view,
      head,
      [...content, [], [span(` ${agreeing.length} of ${ask.rows.length} agree`, 'muted')]],
      ask.id,
    ),
  };
}

function table(rows: readonly ReconcileRow[], width: number): Line[] {
  const what = Math.min(28, Math.floor(width * 0.22));
  const cell = Math.floor((width - what - 12) / 3);
  const cells = (
    row: readonly [string, string, string, string],
    tones: readonly (Tone | undefined)[],
    mark: { word: string; tone: Tone } | undefined,
  ): Line[] => {
    const columns = [wrapWords(row[0], what - 1), ...row.slice(1).map((text) => wrapWords(text, cell - 1))];
    const height = Math.max(1, ...columns.map((column) => column.length));
    return fitRows([], height).map((_, index) => [
      span(` ${padEnd(columns[0]?.[index] ?? '', what)}`, tones[0]),
      ...[1, 2, 3].map((n) => span(padEnd(columns[n]?.[index] ?? '', cell), tones[n])),
      span(index === 0 && mark ? mark.word : '', mark?.tone),
    ]);
  };
  return [
    ...cells(['', 'journal says', 'cluster says', 'will do'], ['muted', 'muted', 'muted', 'muted'], undefined),
    ...rows.flatMap((row) =>
      cells(
        [row.what, row.journal, row.cluster, row.willDo],
        ['title', undefined, undefined, WORD[row.verdict].tone],
        WORD[row.verdict],
      ),
    ),
  ];
}

function stacked(rows: readonly ReconcileRow[], width: number): Line[] {
  const field = (label: string, text: string, tone?: Tone): Line[] =>
    wrapWords(text, width - 19).map((part, index) => [
      span(`   ${(index === 0 ? label : '').padEnd(14)}`, 'muted'),
      span(part, tone),
    ]);
  return rows.flatMap((row) => [
    [span(` ${row.what}`, 'title'), span(`  ${WORD[row.verdict].word}`, WORD[row.verdict].tone)] as Line,
    ...field('journal says', row.journal),
    ...field('cluster says', row.cluster),
    ...field('will do', row.willDo, WORD[row.verdict].tone),
  ]);
}
