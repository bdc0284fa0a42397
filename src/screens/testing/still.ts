/** One frame of one situation, without a terminal: what the frame tests, the bench and the preview look at. */
import type { Line } from '../../components/line.ts';
import { ASCII, UNICODE } from '../../components/theme.ts';
import type { RunSnapshot } from '../../engine/run/model.ts';
import { type PoolTotals, totalsOf } from '../../hooks/pool-totals.ts';
import { linesOf } from '../app.tsx';
import { keymapOf } from '../keys.ts';
import { FIRST_UI, type StartInfo, type UiState } from '../screen.ts';

export interface Still {
  readonly snapshot: RunSnapshot | undefined;
  readonly columns: number;
  readonly rows: number;
  readonly ui?: Partial<UiState>;
  readonly ascii?: boolean;
  readonly start?: StartInfo;
  /** The snapshot's own samples when absent. */
  readonly history?: readonly PoolTotals[];
  readonly sinceMs?: number;
}

export const { keymap: DEFAULT_KEYMAP } = keymapOf();

export function still({
  snapshot,
  columns,
  rows,
  ui = {},
  ascii = false,
  start = {},
  history,
  sinceMs = 1000,
}: Still): Line[] {
  return linesOf({
    snapshot,
    ui: { ...FIRST_UI, welcomed: true, ...ui },
    columns,
    rows,
    now: snapshot === undefined ? 0 : Date.parse(snapshot.now),
    glyphs: ascii ? ASCII : UNICODE,
    keymap: DEFAULT_KEYMAP,
    start,
    sinceMs,
    history: history ?? (snapshot?.pools.history ?? []).map(totalsOf),
    limits: new Map(),
  });
}
