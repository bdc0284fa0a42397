/**
 * Progress without a screen: one line for each thing that happened, made from two snapshots. Pure. No escape codes, no
 * redraw, no line that only says that time passes.
 */
import type { RunSnapshot, StepView } from '../engine/run/model.ts';

const WORDS: Readonly<Record<StepView['state'], string>> = {
  todo: 'todo',
  running: 'start',
  pass: 'pass',
  fail: 'FAIL',
  inconclusive: 'UNSURE',
  waived: 'waived',
  skipped: 'skip',
};

const MOST_UNPROVED = 5;

/** The lines that lead from one snapshot to the next; from nothing, the lines of a run that begins. */
export function progressLines(
  before: RunSnapshot | undefined,
  after: RunSnapshot,
  { messages = true }: { readonly messages?: boolean } = {},
): string[] {
  const lines: string[] = [];
  const line = (word: string, text: string) => lines.push(`${elapsed(after)}  ${word.padEnd(7)} ${text}`);
  if (before === undefined) {
    const where = after.context === '' ? '' : ` on ${after.context}/${after.namespace}`;
    line('run', `${after.runId}: plan ${after.planName}${where}, operator ${after.operator}`);
    const done = after.steps.filter((step) => ['pass', 'waived', 'skipped'].includes(step.state)).length;
    if (done > 0) line('resume', `${done} of ${after.steps.length} steps were done before`);
    // What is in the journal of a resumed run has been told when it happened.
    before = { ...after, currentStep: undefined, steps: after.steps.map(beforeNow), status: 'starting' };
  }
  const known = new Map(before?.steps.map((step) => [step.id, step]));
  for (const step of after.steps) {
    const was = known.get(step.id);
    if (was === step) continue;
    if ((was?.state ?? 'todo') === step.state && (was?.attempts ?? 0) === step.attempts) continue;
    if (step.state === 'todo') continue;
    line(WORDS[step.state], stepText(step));
    if (step.state === 'fail' || step.state === 'inconclusive') {
      if (step.cause) line('', `cause: ${step.cause}`);
      if (step.hint) line('', `hint: ${step.hint}`);
    } else {
      if (step.state === 'waived') for (const text of unproved(step)) line('', text);
      if (step.note) line('', step.note);
    }
  }
  for (const service of after.services) {
    const was = before?.services.find((one) => one.name === service.name);
    if (was && was.state !== service.state) line('service', `${service.name} is ${service.state}`);
  }
  // By what they say: a snapshot that came through a socket shares no objects with the one before.
  const told = new Set(before?.messages.map((message) => `${message.at} ${message.text}`));
  for (const message of messages ? after.messages : []) {
    if (message.level !== 'info' && !told.has(`${message.at} ${message.text}`)) line(message.level, message.text);
  }
  if (after.heldFor !== undefined && before?.heldFor === undefined) line('held', after.heldFor);
  if (after.ask && after.ask.id !== before?.ask?.id) {
    if (after.ask.kind === 'decide') line('decide', `${after.ask.title}: soak until ${after.ask.soakUntil}`);
  }
  if (before && before.cluster.state !== after.cluster.state) line('cluster', after.cluster.state);
  if (after.status === 'ended' && before?.status !== 'ended')
    line('end', `${after.outcome ?? 'failed'}${whyEnded(after)}`);
  return lines;
}

/** What a waived step had not shown: whoever reads the log of a run has nothing else to judge the word by. */
function unproved({ evidence }: StepView): string[] {
  const open = evidence.filter((one) => one.verdict === 'fail' || one.verdict === 'inconclusive');
  const told = open.slice(0, MOST_UNPROVED).map((one) => `${one.verdict}: ${one.check}: ${one.observed}`);
  return open.length > told.length ? [...told, `and ${open.length - told.length} more`] : told;
}

const whyEnded = ({ outcome, endedFor }: RunSnapshot): string =>
  endedFor === undefined || endedFor === outcome ? '' : `: ${endedFor}`;

/** Done steps as they are; the one that runs now is news. */
const beforeNow = (step: StepView): StepView =>
  step.state === 'running' ? { ...step, state: 'todo', attempts: 0 } : step;

const stepText = (step: StepView) => {
  const guide = step.guide === '-' ? '' : `${step.guide} `;
  const again = step.attempts > 1 ? ` (attempt ${step.attempts})` : '';
  return `${step.id}  ${guide}${step.title}${again}`;
};

/** `HH:MM:SS` of run time since the run began. */
function elapsed(snapshot: RunSnapshot): string {
  const seconds = Math.max(0, Math.floor((Date.parse(snapshot.now) - Date.parse(snapshot.startedAt)) / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
