/** What a screen is: props in, exactly as many lines as it was given rows out. Keys become intents in `press.ts`. */
import type { Line } from '../components/line.ts';
import type { Glyphs } from '../components/theme.ts';
import type { PoolSample, RollbackScope, RunSnapshot } from '../engine/run/model.ts';
import type { Keymap } from './keys.ts';
import type { Prompt } from './prompt.ts';

/** The views that keys switch between. `home` shows the open ask, the end, or the step that runs. */
export type ViewId =
  | 'home'
  | 'services'
  | 'pools'
  | 'plan'
  | 'preflight'
  | 'checklist'
  | 'logs'
  | 'doctor'
  | 'record'
  | 'rollback'
  | 'help';

/** What the terminal is doing apart from the run. It is lost with the screen and nothing of the run is in it. */
export interface UiState {
  readonly view: ViewId;
  /** First row shown, by scroll key (`logs`, `ask-3`); absent means the top, or the end where a list follows. */
  readonly scroll: Readonly<Record<string, number>>;
  /** Selected row, by view. */
  readonly selected: Readonly<Record<string, number>>;
  readonly prompt?: Prompt;
  readonly notice?: { readonly text: string; readonly tone: 'info' | 'warn' };
  readonly logFilter: string;
  /** Set while the filter is being typed. */
  readonly filtering?: string;
  readonly logWrap: boolean;
  /** `leave` was sent; the run is parking itself. */
  readonly leaving: boolean;
}

export const FIRST_UI: UiState = {
  view: 'home',
  scroll: {},
  selected: {},
  logFilter: '',
  logWrap: false,
  leaving: false,
};

/** What is known before the engine is there. */
export interface StartInfo {
  readonly context?: string;
  readonly namespace?: string;
  readonly operator?: string;
  readonly rehearsal?: boolean;
  /** `resuming run 7f3a`, `starting PostgreSQL …`. */
  readonly note?: string;
}

/** Everything a screen draws from. */
export interface View {
  readonly snapshot: RunSnapshot;
  readonly ui: UiState;
  /** Cells and rows of the body. */
  readonly width: number;
  readonly height: number;
  readonly glyphs: Glyphs;
  /** Run time in ms since the epoch: the snapshot's, plus the real time since it came. */
  readonly now: number;
  readonly keymap: Keymap;
  /** Pool samples of the whole change, longer than the snapshot's own. */
  readonly history: readonly PoolSample[];
  /** Last first row of every list that was drawn, by scroll key; written by `scrolled`, read by `press`. */
  readonly limits: Map<string, number>;
}

export interface Body {
  readonly lines: readonly Line[];
  /** Column where a divider meets the rule above. */
  readonly join?: number;
}

export type Screen = (view: View) => Body;

/** The choices of the rollback screen, the smallest first. */
export function rollbackScopes(snapshot: RunSnapshot): RollbackScope[] {
  const moved = snapshot.services.filter((service) => service.state === 'pooled' || service.state === 'switching');
  const phases = [...new Set(moved.map((service) => service.phase))];
  if (moved.length === 0) return [];
  return [
    ...[...moved].reverse().map((service): RollbackScope => ({ kind: 'service', service: service.name })),
    ...phases.reverse().map((phase): RollbackScope => ({ kind: 'phase', phase })),
    { kind: 'all' },
  ];
}
