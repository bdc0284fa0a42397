/**
 * The one registry of keys. The footer, the help overlay, docs/keys.md and the conflict test are made from it; a screen
 * never names a key of its own, and what is pressed where is told by keys.ts. An action has default keys, places where it
 * works, and a function that says why it can't be used now. No action mutates by itself: what changes anything opens a
 * prompt (prompt.ts).
 */
import { isHeld } from '../components/states.ts';
import type { Ask, RunSnapshot } from '../engine/run/model.ts';
import { rollbackScopes, servicesAhead, type ViewId } from './screen.ts';

export type Place = ViewId | `ask.${Ask['kind']}` | 'end' | 'start' | 'welcome';

export type ActionId =
  | 'approve'
  | 'approvePhase'
  | 'begin'
  | 'refuse'
  | 'skip'
  | 'continue'
  | 'extend'
  | 'retry'
  | 'waive'
  | 'choose'
  | 'open'
  | 'close'
  | 'export'
  | 'filter'
  | 'wrap'
  | 'hold'
  | 'rollback'
  | 'logs'
  | 'doctor'
  | 'record'
  | 'help'
  | 'leave'
  | 'back'
  | 'services'
  | 'pools'
  | 'plan'
  | 'preflight'
  | 'checklist'
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'top'
  | 'bottom'
  | 'interrupt'
  | 'suspend'
  | 'redraw';

export interface Action {
  readonly id: ActionId;
  /** Names as `use-keys` gives them: a character, `enter`, `escape`, `up`, `ctrl+c`. */
  readonly keys: readonly string[];
  /** A word or two for the footer. */
  readonly label: string;
  /** The same for a footer of less than 80 cells. */
  readonly short?: string;
  /** A sentence for help and docs, imperative. */
  readonly help: string;
  /** Absent: everywhere. */
  readonly where?: readonly Place[];
  /** Shown in the footer when set; the smallest first. */
  readonly footer?: number;
  /** Why it can't be used now; undefined when it can. */
  readonly unavailable?: (snapshot: RunSnapshot | undefined) => string | undefined;
}

const noRun = (snapshot: RunSnapshot | undefined) => (snapshot === undefined ? 'the run is not loaded yet' : undefined);
const ended = (snapshot: RunSnapshot | undefined) =>
  noRun(snapshot) ?? (snapshot?.status === 'ended' ? 'the run has ended' : undefined);

export const ACTIONS: readonly Action[] = [
  {
    id: 'approve',
    keys: ['y'],
    label: 'approve',
    help: 'Approve what is shown; asks once more (Enter, or a typed name).',
    where: ['ask.confirm', 'ask.rollback', 'ask.reconcile'],
    footer: 1,
    unavailable: (snapshot) =>
      heldBefore(snapshot) ??
      (snapshot?.ask?.kind === 'reconcile' && snapshot.ask.rows.some((row) => row.verdict === 'stop')
        ? 'the journal contradicts the cluster'
        : undefined),
  },
  {
    id: 'approvePhase',
    keys: ['a'],
    label: 'approve the phase',
    short: 'whole phase',
    help: "Approve this switch and the phase's other ones, each made as previewed; failures, warnings and decisions still ask.",
    where: ['ask.confirm'],
    footer: 2,
    unavailable: (snapshot) => {
      const ask = snapshot?.ask;
      if (ask?.kind !== 'confirm') return undefined;
      const held = heldBefore(snapshot);
      if (held !== undefined) return held;
      if (servicesAhead(snapshot, ask.stepId).length < 2) return 'no other service follows';
      return ask.typed === undefined ? undefined : 'it asks for a typed name';
    },
  },
  {
    id: 'begin',
    keys: ['enter'],
    label: 'show the first change',
    help: 'Go on to the first change; nothing is sent.',
    where: ['welcome'],
    footer: 1,
  },
  {
    id: 'continue',
    keys: ['c'],
    label: 'continue',
    help: 'Continue with the next phase; before the soak is over, or with a gate that does not pass, this is an override and asks for a reason.',
    where: ['ask.decide'],
    footer: 1,
  },
  {
    id: 'retry',
    keys: ['r'],
    label: 'retry',
    help: 'Try the failed step again.',
    where: ['ask.failure'],
    footer: 1,
    unavailable: (snapshot) => notOffered(snapshot, 'retry'),
  },
  {
    id: 'refuse',
    keys: ['n'],
    label: 'no',
    help: 'Say no: nothing is changed and the run waits; a rollback that was asked for is cancelled.',
    where: ['ask.confirm', 'ask.rollback', 'ask.reconcile'],
    footer: 2,
  },
  {
    id: 'extend',
    keys: ['x'],
    label: 'extend',
    help: 'Extend the soak by its own length again.',
    where: ['ask.decide'],
    footer: 2,
  },
  {
    id: 'waive',
    keys: ['x'],
    label: 'waive',
    help: 'Waive the failed step, with a reason that goes into the record.',
    where: ['ask.failure'],
    footer: 2,
    unavailable: (snapshot) => notOffered(snapshot, 'waive'),
  },
  {
    id: 'skip',
    keys: ['x'],
    label: 'skip',
    help: 'Skip this step, with a reason that goes into the record.',
    where: ['ask.confirm'],
    footer: 3,
  },
  {
    id: 'choose',
    keys: ['enter'],
    label: 'choose',
    help: 'Choose the selected scope; the engine then shows what it would put back and asks for the name.',
    where: ['rollback'],
    footer: 1,
    unavailable: (snapshot) => ended(snapshot) ?? nothingMoved(snapshot) ?? busyAsk(snapshot),
  },
  {
    id: 'open',
    keys: ['enter'],
    label: 'details',
    help: 'The selected row in full, and back to the list.',
    where: ['services', 'plan'],
    footer: 1,
  },
  {
    id: 'close',
    keys: ['enter'],
    label: 'close',
    help: 'Close the screen; the summary stays in the terminal.',
    where: ['end'],
    footer: 1,
  },
  {
    id: 'export',
    keys: ['x'],
    label: 'export',
    help: 'Write the change record now.',
    where: ['record'],
    footer: 1,
    unavailable: noRun,
  },
  { id: 'filter', keys: ['/'], label: 'filter', help: 'Show only lines that hold a text.', where: ['logs'], footer: 1 },
  { id: 'wrap', keys: ['z'], label: 'wrap', help: 'Wrap long lines, or cut them.', where: ['logs'], footer: 2 },
  {
    id: 'hold',
    keys: ['h'],
    label: 'hold',
    help: 'Hold the run before its next change, with a reason; the same key lets it go on.',
    footer: 10,
    unavailable: (snapshot) =>
      ended(snapshot) ?? (snapshot?.status === 'rolling-back' ? 'a rollback is not held half-way' : undefined),
  },
  {
    id: 'rollback',
    keys: ['b'],
    label: 'roll back',
    help: 'Choose what to roll back: a service, a phase, everything.',
    footer: 11,
    unavailable: (snapshot) =>
      ended(snapshot) ??
      (snapshot?.status === 'rolling-back' ? 'a rollback is running' : undefined) ??
      busyAsk(snapshot) ??
      nothingMoved(snapshot),
  },
  {
    id: 'logs',
    keys: ['l'],
    label: 'logs',
    help: 'Logs of the poolers and of the services under way, live.',
    footer: 12,
    unavailable: noRun,
  },
  {
    id: 'doctor',
    keys: ['d'],
    label: 'doctor',
    help: 'Symptoms with their checks, causes and fixes.',
    footer: 13,
    unavailable: noRun,
  },
  {
    id: 'record',
    keys: ['e'],
    label: 'export',
    help: 'The change record: what it holds, where it is, export.',
    footer: 14,
    unavailable: noRun,
  },
  {
    id: 'pools',
    keys: ['p'],
    label: 'pools',
    help: 'Chart of the pools over the change.',
    footer: 15,
    unavailable: noRun,
  },
  {
    id: 'services',
    keys: ['s'],
    label: 'services',
    help: 'Every service: state, rollout, connections.',
    footer: 16,
    unavailable: noRun,
  },
  {
    id: 'plan',
    keys: ['w'],
    label: 'plan',
    help: 'What will be done: every step with its commands.',
    footer: 17,
    unavailable: noRun,
  },
  {
    id: 'preflight',
    keys: ['f'],
    label: 'findings',
    help: 'Findings of the preflight, the worst first.',
    footer: 18,
    unavailable: noRun,
  },
  {
    id: 'checklist',
    keys: ['i'],
    label: 'checklist',
    help: "The guide's eight items after every phase.",
    footer: 19,
    unavailable: noRun,
  },
  { id: 'help', keys: ['?'], label: 'help', help: 'Keys of this screen.', footer: 30 },
  {
    id: 'leave',
    keys: ['q'],
    label: 'leave, resumable',
    short: 'leave',
    help: 'Leave the wizard; the run is parked and can be resumed.',
    footer: 31,
  },
  {
    id: 'back',
    keys: ['escape', 'backspace'],
    label: 'back',
    help: 'Back to the step that runs.',
    footer: 0,
    where: ['services', 'pools', 'plan', 'preflight', 'checklist', 'logs', 'doctor', 'record', 'rollback', 'help'],
  },
  { id: 'up', keys: ['up', 'k'], label: 'up', help: 'One row up.' },
  { id: 'down', keys: ['down', 'j'], label: 'down', help: 'One row down.' },
  { id: 'pageUp', keys: ['pageup', 'ctrl+b'], label: 'page up', help: 'One page up.' },
  { id: 'pageDown', keys: ['pagedown', 'space'], label: 'page down', help: 'One page down.' },
  { id: 'top', keys: ['home', 'g'], label: 'top', help: 'To the first row.' },
  { id: 'bottom', keys: ['end', 'G'], label: 'end', help: 'To the last row; a log follows again.' },
  { id: 'redraw', keys: ['ctrl+l'], label: 'redraw', help: 'Draw the whole screen again.' },
  {
    id: 'suspend',
    keys: ['ctrl+z'],
    label: 'suspend',
    help: 'Give the terminal back to the shell; the run stands still until `fg`.',
  },
  {
    id: 'interrupt',
    keys: ['ctrl+c'],
    label: 'leave',
    help: 'As leave; pressed twice it leaves at once, still resumable.',
  },
];

function notOffered(snapshot: RunSnapshot | undefined, action: 'retry' | 'waive'): string | undefined {
  if (snapshot?.ask?.kind !== 'failure' || snapshot.ask.options.includes(action)) return undefined;
  return action === 'waive' ? 'this step cannot be waived' : 'trying again cannot help here';
}

/** What is approved while the run holds is not done, and would be asked for again. */
function heldBefore(snapshot: RunSnapshot | undefined): string | undefined {
  return snapshot?.ask?.kind === 'confirm' && isHeld(snapshot) ? 'the run is on hold' : undefined;
}

function nothingMoved(snapshot: RunSnapshot | undefined): string | undefined {
  return snapshot !== undefined && rollbackScopes(snapshot).length === 0 ? 'no service has been moved' : undefined;
}

function busyAsk(snapshot: RunSnapshot | undefined): string | undefined {
  return snapshot?.ask?.kind === 'rollback' ? 'a rollback is already asked for' : undefined;
}
