/**
 * The run as lines, for screen readers, TERM=dumb and slow hands: what changes is printed once, nothing is redrawn,
 * questions are numbered and answered by a line. The same intents as the screen, and the same two confirmations.
 */
import { createInterface, type Interface } from 'node:readline';
import { duration } from '../components/format.ts';
import { stepSign, verdictSign } from '../components/states.ts';
import { ASCII, asciiText } from '../components/theme.ts';
import type { Result } from '../engine/result.ts';
import type { Answer, Ask, Intent, RunHandle, RunSnapshot } from '../engine/run/model.ts';
import { overrideOf, scopeWords } from './intents.ts';
import { rollbackScopes } from './screen.ts';

export interface AccessibleOptions {
  readonly handle: RunHandle | Promise<Result<RunHandle>>;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly ascii: boolean;
  readonly signal?: AbortSignal;
  readonly notify?: (event: { readonly title: string; readonly askId: string }) => void;
}

export interface AccessibleResult {
  readonly snapshot: RunSnapshot | undefined;
  readonly leftBy: 'end' | 'leave' | 'signal' | 'error';
  readonly signal?: 'SIGHUP' | 'SIGTERM' | 'SIGINT';
}

/** One way on, as a numbered line. */
export interface Choice {
  readonly label: string;
  readonly intent: (reason: string | undefined) => Intent;
  readonly reason?: 'required';
  readonly typed?: string;
  /** Sent without a second question: it changes nothing. */
  readonly safe?: boolean;
}

/** What changed from one snapshot to the next, as lines; the first call tells where the run stands. */
export function changes(before: RunSnapshot | undefined, after: RunSnapshot): string[] {
  const out: string[] = [];
  if (before === undefined) {
    out.push(
      `Run ${after.runId} by ${after.operator}: ${after.context} / ${after.namespace}${after.rehearsal ? ', rehearsal' : ''}.`,
    );
    for (const phase of after.phases)
      out.push(`Phase ${phase.number}, ${phase.title}: ${phase.done} of ${phase.total}, ${phase.state}.`);
  }
  const known = new Map(before?.steps.map((step) => [step.id, step]));
  for (const step of after.steps) {
    const old = known.get(step.id);
    const moved = old?.state !== step.state;
    if (before !== undefined && moved)
      out.push(
        `${step.guide === '-' ? '' : `${step.guide} `}${step.title}: ${stepSign(step, ASCII).word}${step.cause === undefined ? '' : `. Cause: ${step.cause}`}`,
      );
    if (before === undefined && step.state === 'running') out.push(`Now: ${step.title}.`);
    const told = before === undefined ? step.evidence.length : (old?.evidence.length ?? 0);
    for (const one of step.evidence.slice(told))
      out.push(`  ${verdictSign(one.verdict, ASCII).word}: ${one.check}: ${one.observed}`);
  }
  for (const service of after.services) {
    const old = before?.services.find((one) => one.name === service.name);
    if (old !== undefined && old.state !== service.state) out.push(`${service.name}: ${service.state}.`);
  }
  if (after.waitingFor !== undefined && after.waitingFor.text !== before?.waitingFor?.text) {
    const { since, until } = after.waitingFor;
    out.push(
      `Waiting for ${after.waitingFor.text}${until === undefined ? '' : `, at most ${duration(Date.parse(until) - Date.parse(since))}`}.`,
    );
  }
  if (after.cluster.state !== before?.cluster.state && (before !== undefined || after.cluster.state !== 'ok'))
    out.push(`Cluster data: ${after.cluster.state}, ${duration(after.cluster.ageMs)} old.`);
  if (after.status === 'held' && before?.status !== 'held') out.push(`On hold: ${after.heldFor ?? ''}.`);
  if (after.exportedTo !== undefined && after.exportedTo !== before?.exportedTo)
    out.push(`Record exported to ${after.exportedTo}.`);
  return out;
}

/** The question of an ask: what it is about, then the numbered ways on. */
export function describe(ask: Ask, now: number): string[] {
  switch (ask.kind) {
    case 'confirm':
    case 'rollback':
      return [
        ask.title,
        ask.preview.summary,
        ...(ask.preview.warnings ?? []).map((text) => `Warning: ${text}`),
        ...ask.preview.diff.map(
          (line) => `${{ context: 'in', remove: 'remove', add: 'add', note: 'note' }[line.kind]}: ${line.text}`,
        ),
        ...(ask.preview.departures ?? []).map((text) => `Not as the guide says: ${text}`),
        ...ask.preview.commands.map((text) => `By hand: ${text}`),
      ];
    case 'decide':
      return [
        ask.title,
        Date.parse(ask.soakUntil) > now
          ? `Soak: ${duration(Date.parse(ask.soakUntil) - now)} left of ${duration(ask.soakMs)}.`
          : 'Soak: over.',
        ...ask.gates.map(
          (gate) => `${verdictSign(gate.verdict, ASCII).word}: ${gate.title}: ${gate.observed}, limit ${gate.limit}`,
        ),
        `Advice: ${ask.recommendation}.`,
      ];
    case 'failure':
      return [
        `${ask.verdict === 'fail' ? 'Failed' : 'Could not measure'}: ${ask.title}`,
        `Cause: ${ask.cause}`,
        `What to do: ${ask.hint}`,
        ...ask.findings.map(
          (finding) =>
            `Found: ${finding.symptom}; cause: ${finding.cause}; seen: ${finding.observed}; fix: ${finding.fix}`,
        ),
        ...ask.logTail.map((text) => `Log: ${text}`),
      ];
    case 'reconcile':
      return [
        'Resume?',
        ...ask.rows.map(
          (row) => `${row.what}. Journal says: ${row.journal}. Cluster says: ${row.cluster}. Will do: ${row.willDo}.`,
        ),
      ];
  }
}

/** The ways on, the safe one first; a bare Enter never means one of them. */
export function choicesOf(snapshot: RunSnapshot, now: number): Choice[] {
  const { ask } = snapshot;
  const send =
    (answer: Answer) =>
    (reason: string | undefined): Intent => ({
      kind: 'answer',
      askId: ask?.id ?? '',
      answer:
        reason === undefined || answer.kind === 'rollback' || answer.kind === 'reconcile'
          ? answer
          : { ...answer, reason },
    });
  const own: Choice[] = [];
  if (ask?.kind === 'confirm') {
    own.push({
      label: 'Approve',
      intent: send({ kind: 'confirm', action: 'approve' }),
      ...(ask.typed === undefined ? {} : { typed: ask.typed }),
    });
    own.push({ label: 'Skip this step', intent: send({ kind: 'confirm', action: 'skip' }), reason: 'required' });
  }
  if (ask?.kind === 'rollback') {
    own.push({
      label: 'Cancel the rollback, change nothing',
      intent: send({ kind: 'rollback', action: 'cancel' }),
      safe: true,
    });
    own.push({
      label: 'Approve the rollback',
      intent: send({ kind: 'rollback', action: 'approve' }),
      typed: ask.typed,
    });
  }
  if (ask?.kind === 'reconcile' && !ask.rows.some((row) => row.verdict === 'stop')) {
    own.push({
      label: 'Go on as shown',
      intent: send({ kind: 'reconcile', action: 'continue' }),
      ...(ask.typed === undefined ? {} : { typed: ask.typed }),
    });
  }
  if (ask?.kind === 'reconcile')
    own.push({
      label: 'Roll everything back',
      intent: send({ kind: 'reconcile', action: 'rollback-all' }),
      ...(ask.typed === undefined ? {} : { typed: ask.typed }),
    });
  if (ask?.kind === 'decide') {
    const override = overrideOf(ask, now);
    own.push({
      label: override === undefined ? 'Continue' : `Continue although ${override}`,
      intent: send({ kind: 'decide', action: 'continue' }),
      ...(override === undefined ? {} : { reason: 'required' as const }),
    });
    own.push({ label: 'Extend the soak', intent: send({ kind: 'decide', action: 'extend', extendMs: ask.soakMs }) });
    own.push({ label: 'Hold', intent: send({ kind: 'decide', action: 'hold' }), reason: 'required' });
    own.push({
      label: `Roll phase ${ask.phase.replace(/^p/, '')} back`,
      intent: send({ kind: 'decide', action: 'rollback' }),
    });
  }
  if (ask?.kind === 'failure') {
    const labels = {
      retry: 'Try again',
      'rollback-service': 'Roll this service back',
      'rollback-phase': 'Roll the phase back',
      'rollback-all': 'Roll everything back',
      waive: 'Waive it',
      leave: '',
    };
    for (const action of ask.options) {
      if (action === 'leave') continue;
      own.push({
        label: labels[action],
        intent: send({ kind: 'failure', action }),
        ...(action === 'waive' ? { reason: 'required' as const } : {}),
      });
    }
  }
  if (ask === undefined && snapshot.status === 'held') own.push({ label: 'Go on', intent: () => ({ kind: 'unhold' }) });
  if (ask === undefined && snapshot.status === 'running') {
    own.push({ label: 'Hold', intent: (reason) => ({ kind: 'hold', reason: reason ?? '' }), reason: 'required' });
    for (const scope of rollbackScopes(snapshot))
      own.push({ label: `Roll back ${scopeWords(scope)}`, intent: () => ({ kind: 'rollback', scope }) });
  }
  return [
    ...own,
    { label: 'Export the record', intent: () => ({ kind: 'export' }), safe: true },
    { label: 'Leave; the run is parked and can be resumed', intent: () => ({ kind: 'leave' }) },
  ];
}

/** Prints and asks until the run ends, is left, or the input ends. */
export async function showAccessible(options: AccessibleOptions): Promise<AccessibleResult> {
  const { stdout, stdin } = options;
  const say = (text: string) => stdout.write(`${options.ascii ? asciiText(text) : text}\n`);
  say('pgb-wizard. Connecting.');
  const loaded = 'snapshot' in options.handle ? options.handle : await options.handle;
  if ('ok' in loaded && !loaded.ok) return { snapshot: undefined, leftBy: 'error' };
  const handle = 'ok' in loaded ? loaded.value : loaded;
  const lines = createInterface({ input: stdin, terminal: false });
  return converse(handle, lines, say, options).finally(() => lines.close());
}

function converse(
  handle: RunHandle,
  lines: Interface,
  say: (text: string) => void,
  options: AccessibleOptions,
): Promise<AccessibleResult> {
  return new Promise((resolve) => {
    let told: RunSnapshot | undefined;
    let askedFor: string | undefined;
    let open:
      | { choice: Choice; stage: 'reason' | 'typed' | 'sure'; reason?: string; askId: string | undefined }
      | undefined;
    let menu: Choice[] = [];
    const offer = (snapshot: RunSnapshot) => {
      menu = choicesOf(snapshot, Date.parse(snapshot.now));
      for (const [index, choice] of menu.entries()) say(`${index + 1}. ${choice.label}`);
      say('Type a number and Enter.');
    };
    const update = () => {
      const snapshot = handle.snapshot();
      for (const text of changes(told, snapshot)) say(text);
      if (told === undefined) say('Type m and Enter for what you can do, s for where it stands.');
      told = snapshot;
      if (open !== undefined && open.askId !== snapshot.ask?.id) {
        open = undefined;
        say('That question is no longer open; nothing was sent.');
      }
      if (snapshot.ask === undefined) {
        askedFor = undefined;
        return;
      }
      if (snapshot.ask.id === askedFor) return;
      askedFor = snapshot.ask.id;
      say('');
      for (const text of describe(snapshot.ask, Date.parse(snapshot.now))) say(text);
      offer(snapshot);
      options.notify?.({ title: 'the run asks', askId: snapshot.ask.id });
    };
    const unsubscribe = handle.subscribe(update);
    const finish = (leftBy: AccessibleResult['leftBy'], signal?: AccessibleResult['signal']) => {
      unsubscribe();
      options.signal?.removeEventListener('abort', onAbort);
      resolve({ snapshot: handle.snapshot(), leftBy, ...(signal === undefined ? {} : { signal }) });
    };
    const onAbort = () => {
      handle.send({ kind: 'leave' });
      const { reason } = options.signal ?? {};
      void handle.ended.then(() => finish('signal', reason === 'SIGINT' || reason === 'SIGHUP' ? reason : 'SIGTERM'));
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    lines.on('line', (raw) => {
      const text = raw.trim();
      const snapshot = handle.snapshot();
      if (open !== undefined) {
        open = answerLine(open, text, say, (intent) => handle.send(intent));
        return;
      }
      if (text === 'm') offer(snapshot);
      else if (text === 's') for (const row of changes(undefined, snapshot)) say(row);
      else if (/^\d+$/.test(text)) {
        const choice = menu[Number(text) - 1];
        if (choice === undefined) say(`There is no ${text}. Type m for the list.`);
        else if (choice.safe) handle.send(choice.intent(undefined));
        else
          open = question(
            { choice, stage: choice.reason ? 'reason' : choice.typed ? 'typed' : 'sure', askId: snapshot.ask?.id },
            say,
          );
      } else if (text !== '') say('Type a number of the list, m for the list, s for where it stands.');
    });
    lines.on('close', () => {
      // The input is gone: nobody can answer any more.
      if (handle.snapshot().status === 'ended') return;
      handle.send({ kind: 'leave' });
    });
    update();
    void handle.ended.then((last) => {
      update();
      finish(last.outcome === 'parked' ? 'leave' : 'end');
    });
  });
}

type Open = { choice: Choice; stage: 'reason' | 'typed' | 'sure'; reason?: string; askId: string | undefined };

function question(open: Open, say: (text: string) => void): Open {
  if (open.stage === 'reason')
    say(`${open.choice.label}. Type the reason, it goes into the record. An empty line stops.`);
  else if (open.stage === 'typed')
    say(`${open.choice.label}. Type ${open.choice.typed} to do it. Anything else stops.`);
  else say(`${open.choice.label}. Type yes to do it. Anything else stops.`);
  return open;
}

/** One line in an open question: the next stage, or undefined when it is over. */
function answerLine(
  open: Open,
  text: string,
  say: (text: string) => void,
  send: (intent: Intent) => void,
): Open | undefined {
  if (open.stage === 'reason') {
    if (text.length < 3) {
      say('Nothing was sent: a reason is needed.');
      return undefined;
    }
    return question({ ...open, reason: text, stage: open.choice.typed ? 'typed' : 'sure' }, say);
  }
  const wanted = open.stage === 'typed' ? open.choice.typed : 'yes';
  if (text !== wanted) {
    say('Nothing was sent.');
    return undefined;
  }
  say('Sent.');
  send(open.choice.intent(open.reason));
  return undefined;
}
