/** What a screen is: props in, exactly as many lines as it was given rows out. Keys become intents in `press.ts`. */
import type { Line } from '../components/line.ts';
import type { Glyphs } from '../components/theme.ts';
import type { RollbackScope, RunSnapshot } from '../engine/run/model.ts';
import type { PoolTotals } from '../hooks/pool-totals.ts';
import type { Keymap } from './keys.ts';
import type { Prompt } from './prompt.ts';

/** The views that keys switch between. `home` shows the open ask, the end, or the step that runs. */
export const VIEWS = [
  'home',
  'services',
  'pools',
  'plan',
  'preflight',
  'checklist',
  'logs',
  'doctor',
  'record',
  'rollback',
  'help',
] as const;

export type ViewId = (typeof VIEWS)[number];

/** What the terminal is doing apart from the run. It is lost with the screen and nothing of the run is in it. */
export interface UiState {
  readonly view: ViewId;
  /** First row shown, by scroll key (`logs`, `ask-3`); absent means the top, or the end where a list follows. */
  readonly scroll: Readonly<Record<string, number>>;
  /** Selected row, by view. */
  readonly selected: Readonly<Record<string, number>>;
  /** The selected row of a list fills the screen, and is what scrolls. */
  readonly detail: boolean;
  readonly prompt?: Prompt;
  /** Said to the last key; shown while the question (or none) that was open then is still the one. */
  readonly notice?: {
    readonly text: string;
    readonly tone: 'info' | 'warn';
    readonly at?: string;
    /** Real ms since the screen was mounted. */
    readonly until?: number;
  };
  readonly logFilter: string;
  /** Set while the filter is being typed. */
  readonly filtering?: string;
  readonly logWrap: boolean;
  /** The lines as they were when one scrolled back in them: what is read does not move away. Holds while `scroll.logs` does. */
  readonly logStopped?: RunSnapshot['logLines'];
  /** `leave` was sent; the run is parking itself. */
  readonly leaving: boolean;
  /** The first question of a new run is preceded by what the run is about, once. */
  readonly welcomed: boolean;
}

export const FIRST_UI: UiState = {
  view: 'home',
  scroll: {},
  selected: {},
  detail: false,
  logFilter: '',
  logWrap: false,
  leaving: false,
  welcomed: false,
};

/** What is known before the engine is there. */
export interface StartInfo {
  readonly context?: string;
  readonly namespace?: string;
  readonly operator?: string;
  /** A rehearsal with a cluster of its own, which ends with it. */
  readonly rehearsal?: boolean;
  /** `resuming run 7f3a`, `starting PostgreSQL …`. */
  readonly note?: string;
}

/** Everything a screen draws from. */
export interface View {
  readonly snapshot: RunSnapshot;
  readonly start: StartInfo;
  readonly ui: UiState;
  /** Cells and rows of the body. */
  readonly width: number;
  readonly height: number;
  readonly glyphs: Glyphs;
  /** Run time in ms since the epoch: the snapshot's, plus the real time since it came. */
  readonly now: number;
  /** Real ms since the screen was mounted. */
  readonly sinceMs: number;
  readonly keymap: Keymap;
  /** Sums of the pools over the whole change, longer than the snapshot's own samples. */
  readonly history: readonly PoolTotals[];
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

/** The service whose step failed is back where it was: what is asked now is what becomes of the phase. */
export function isBack({ ask, services }: RunSnapshot): boolean {
  if (ask?.kind !== 'failure') return false;
  return services.find((one) => one.name === ask.service)?.state === 'rolled-back';
}

/** Services of the phase whose switch is still to be made; not those that somebody has skipped, or let stay behind. */
export function servicesAhead(snapshot: RunSnapshot | undefined, stepId: string): string[] {
  const step = snapshot?.steps.find((one) => one.id === stepId);
  if (snapshot === undefined || step?.service === undefined || step.kind !== 'change') return [];
  const settled = new Set(
    snapshot.steps
      .filter((one) => one.kind === 'change' && (one.state === 'waived' || one.state === 'skipped'))
      .map((one) => one.service),
  );
  return snapshot.services
    .filter((one) => one.phase === step.phase && one.state !== 'pooled' && !settled.has(one.name))
    .map((one) => one.name);
}

/** The first change of a new run is being asked about and the operator has not seen yet what the run is about. */
export function isWelcome(ui: Pick<UiState, 'welcomed'>, snapshot: RunSnapshot | undefined): boolean {
  if (ui.welcomed || snapshot?.ask?.kind !== 'confirm') return false;
  const asked = snapshot.ask.stepId;
  const first = snapshot.steps.find((one) => one.kind === 'change' && one.state !== 'skipped');
  // Credentials are made in memory and ask nothing; whatever else has run makes this an old run.
  return snapshot.steps.every(
    (one) => one.kind !== 'change' || one.id === asked || one === first || one.attempts === 0,
  );
}
