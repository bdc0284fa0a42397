/** The first frame, before the engine is loaded, and the frame of a terminal that is too small. */
import { duration } from '../components/format.ts';
import { type Line, span, truncateEnd, truncateMiddle } from '../components/line.ts';
import type { Glyphs } from '../components/theme.ts';
import type { RunSnapshot } from '../engine/run/model.ts';
import { finish, SMALLEST } from './layout.ts';
import type { StartInfo } from './screen.ts';

/** Row of the start frame that says what is under way. */
export const BUSY_ROW = 3;

/** `connecting…` with what is known; exactly `rows` lines. */
export function startFrame(start: StartInfo, sinceMs: number, columns: number, rows: number, glyphs: Glyphs): Line[] {
  const place = start.rehearsal
    ? `embedded cluster${start.namespace === undefined ? '' : ` / ${start.namespace}`}`
    : `${start.context ?? 'current context'} / ${start.namespace ?? 'namespace of the context'}`;
  const top: Line[] = [
    [
      span(' pgb-wizard  ', 'info'),
      span(truncateMiddle(place, columns - (start.rehearsal ? 26 : 15), glyphs.more), 'title'),
      ...(start.rehearsal ? [span('  rehearsal', 'accent')] : []),
    ],
    [span(glyphs.h.repeat(columns), 'rule')],
    [],
    [
      span(` ${glyphs.running} `, 'info'),
      span(start.note ?? 'connecting'),
      span(` ${glyphs.dot} ${duration(Math.floor(sinceMs / 1000) * 1000)}`, 'muted'),
    ],
    ...(start.operator === undefined ? [] : [[span(`   as ${start.operator}`, 'muted')]]),
    [],
    [span('   Nothing is changed before you have seen it and said so.', 'muted')],
  ];
  const foot: Line[] = [[span(' q', 'key'), span(' leave')]];
  const lines = [...top.slice(0, rows - 1)];
  while (lines.length < rows - 1) lines.push([]);
  return finish([...lines, ...foot], columns, rows, glyphs);
}

export function isTooSmall(columns: number, rows: number): boolean {
  return columns < SMALLEST.columns || rows < SMALLEST.rows;
}

/** One line that still says what runs, and that the terminal is too small for more; no key but Ctrl+C works there. */
export function smallFrame(snapshot: RunSnapshot | undefined, columns: number, rows: number, glyphs: Glyphs): Line[] {
  const step = snapshot?.steps.find((one) => one.id === snapshot.currentStep);
  const status = snapshot === undefined ? 'connecting' : snapshot.ask !== undefined ? 'you are asked' : snapshot.status;
  // What matters most comes first: the line is cut where the terminal ends.
  const parts = [
    status,
    `${columns}x${rows} is too small, ${SMALLEST.columns}x${SMALLEST.rows} is needed`,
    ...(step === undefined ? [] : [step.id]),
  ];
  const text = parts.join(` ${glyphs.dot} `);
  return [[span(truncateEnd(text, columns, glyphs.more), snapshot?.ask === undefined ? undefined : 'warn')]];
}
