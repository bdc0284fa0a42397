import { type TerminalSuspension, useApp } from 'ink';
import { useCallback, useEffect, useRef, useState } from 'react';
import { Frame } from '../components/frame.tsx';
import type { Line } from '../components/line.ts';
import type { Glyphs, Theme } from '../components/theme.ts';
import type { RunHandle, RunSnapshot } from '../engine/run/model.ts';
import type { PoolTotals } from '../hooks/pool-totals.ts';
import { tickEvery, useRunTime, useTick } from '../hooks/use-clock.ts';
import { useHistory } from '../hooks/use-history.ts';
import { useKeys } from '../hooks/use-keys.ts';
import { useRun } from '../hooks/use-run.ts';
import { useSize } from '../hooks/use-size.ts';
import { dueOf, type Notify, Told } from './due.ts';
import { bodyOf } from './home.ts';
import type { Keymap } from './keys.ts';
import { chromeRows, frameOf } from './layout.ts';
import { pasted, press, withNotice, withoutStalePrompt } from './press.ts';
import type { Pressed } from './scene.ts';
import { FIRST_UI, type StartInfo, type UiState, type View } from './screen.ts';
import { BUSY_ROW, isTooSmall, smallFrame, startFrame } from './start.ts';

export interface AppProps {
  readonly handle: RunHandle | undefined;
  readonly start: StartInfo;
  readonly keymap: Keymap;
  readonly theme: Theme;
  readonly glyphs: Glyphs;
  /** Leave the terminal: the run has ended, or the operator leaves without waiting for it. */
  readonly onEffect: (effect: NonNullable<Pressed['effect']>) => void;
  /** Real milliseconds; pinned in tests. */
  readonly realNow?: () => number;
  /** The run needs a human: called once for each ask. What it answers is shown as a notice. */
  readonly onDue?: Notify;
  readonly bridge?: Bridge;
}

/** What the owner of the terminal can ask of the mounted screen. */
export interface Bridge {
  suspend?: () => Promise<TerminalSuspension>;
  redraw?: () => void;
}

export interface FrameInput {
  readonly snapshot: RunSnapshot | undefined;
  readonly ui: UiState;
  readonly columns: number;
  readonly rows: number;
  readonly now: number;
  readonly glyphs: Glyphs;
  readonly keymap: Keymap;
  readonly start: StartInfo;
  readonly sinceMs: number;
  readonly history: readonly PoolTotals[];
  readonly limits: Map<string, number>;
}

/** The whole frame as lines: a pure function, but for the scroll limits it notes down. */
export function linesOf(input: FrameInput): Line[] {
  const { snapshot, columns, rows, glyphs } = input;
  if (isTooSmall(columns, rows)) return smallFrame(snapshot, columns, rows, glyphs);
  if (snapshot === undefined) return startFrame(input.start, input.sinceMs, columns, rows, glyphs);
  const view: View = { ...input, snapshot, width: columns, height: rows - chromeRows(rows) };
  return frameOf(view, bodyOf(view), columns, rows);
}

/** The root: run and terminal in, one frame out, keys to intents. No timer but the clock's tick, no I/O. */
export function App({ handle, start, keymap, theme, glyphs, onEffect, realNow = Date.now, onDue, bridge }: AppProps) {
  const snapshot = useRun(handle);
  const [ui, setUi] = useState<UiState>(FIRST_UI);
  const { columns, rows } = useSize();
  const tick = useTick(snapshot?.status !== 'ended', snapshot, tickEvery(snapshot));
  const now = useRunTime(snapshot, tick, realNow);
  const history = useHistory(snapshot?.pools);
  const began = useRef(realNow());
  const limits = useRef(new Map<string, number>());

  // Several keys can arrive before the next render; each must see what the one before it did.
  const latest = useRef(ui);
  const apply = useCallback(
    (step: (before: UiState) => Pressed) => {
      const pressed = step(latest.current);
      latest.current = pressed.ui;
      setUi(pressed.ui);
      for (const intent of pressed.intents) handle?.send(intent);
      if (pressed.effect !== undefined) onEffect(pressed.effect);
    },
    [handle, onEffect],
  );
  // The time of the press, not of the frame: a notice is counted from there.
  const sceneNow = () => ({
    snapshot,
    keymap,
    now,
    sinceMs: realNow() - began.current,
    page: rows - chromeRows(rows),
    limits: limits.current,
  });
  const small = isTooSmall(columns, rows);
  const onKey = (key: string) => {
    lastKey.current = realNow();
    // What can't be seen can't be answered.
    if (small && key !== 'ctrl+c') return;
    apply((before) => press(before, key, sceneNow()));
  };
  const onText = (text: string) => {
    if (!small) apply((before) => pasted(before, text, sceneNow()));
  };
  useKeys({ onKey, onText, active: true });
  const { suspendTerminal } = useApp();
  useEffect(() => {
    if (bridge === undefined) return;
    bridge.suspend = () => suspendTerminal();
    // Ink draws everything again after a suspension; an empty one is a redraw.
    bridge.redraw = () => void suspendTerminal(() => undefined).catch(() => undefined);
  }, [bridge, suspendTerminal]);
  // Only while somebody looks: streams of logs are not what a run needs.
  const readsLogs = ui.view === 'logs' && handle !== undefined;
  useEffect(() => (readsLogs ? handle?.followLogs() : undefined), [readsLogs, handle]);
  const due = dueOf(snapshot, now);
  const told = useRef(new Told());
  const lastKey = useRef(Number.NEGATIVE_INFINITY);
  const kind = snapshot?.ask?.kind;
  useEffect(() => {
    if (due === undefined || !told.current.isNews(due, kind, realNow() - lastKey.current)) return;
    void onDue?.(due).then((trouble) => {
      if (trouble === undefined) return;
      apply((before) => ({
        ui: withNotice(before, trouble, handle?.snapshot().ask?.id ?? '', realNow() - began.current),
        intents: [],
      }));
    });
  });

  const lines = linesOf({
    snapshot,
    ui: withoutStalePrompt(ui, { snapshot, now }),
    columns,
    rows,
    now,
    glyphs,
    keymap,
    start,
    sinceMs: realNow() - began.current,
    history,
    limits: limits.current,
  });
  const connecting = snapshot === undefined && !small;
  return <Frame lines={lines} theme={theme} {...(connecting ? { busyRow: BUSY_ROW } : {})} />;
}
