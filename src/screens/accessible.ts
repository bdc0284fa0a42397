/**
 * The run as lines, for screen readers, TERM=dumb and slow hands: what changes is printed once, nothing is redrawn,
 * questions are numbered and answered by a line. The same intents as the screen, and the same two confirmations.
 */
import { createInterface, type Interface } from 'node:readline';
import { asciiText } from '../components/theme.ts';
import type { Result } from '../engine/result.ts';
import type { Intent, RunHandle, RunSnapshot } from '../engine/run/model.ts';
import { type Choice, choicesOf } from './accessible-choices.ts';
import { changes, describe, LOOKS } from './accessible-words.ts';
import { dueOf, type Notify, Told } from './due.ts';
import { overrideOf } from './intents.ts';
import { isBack } from './screen.ts';

export interface AccessibleOptions {
  readonly handle: RunHandle | Promise<Result<RunHandle>>;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly ascii: boolean;
  readonly signal?: AbortSignal;
  readonly notify?: Notify;
}

export interface AccessibleResult {
  readonly snapshot: RunSnapshot | undefined;
  readonly leftBy: 'end' | 'leave' | 'signal' | 'error';
  readonly signal?: 'SIGHUP' | 'SIGTERM' | 'SIGINT';
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
    let open: Open | undefined;
    let pending: Promise<void> | undefined;
    const due = new Told();
    let menu: Choice[] = [];
    const offer = (snapshot: RunSnapshot) => {
      menu = choicesOf(snapshot, Date.parse(snapshot.now));
      for (const [index, choice] of menu.entries()) say(`${index + 1}. ${choice.label}`);
      say('Type a number and Enter.');
    };
    const tell = (snapshot: RunSnapshot) => {
      const event = dueOf(snapshot, Date.parse(snapshot.now));
      // Nothing here says who looks, so everything that is due is told.
      if (event === undefined || !due.isNews(event, snapshot.ask?.kind, Number.POSITIVE_INFINITY)) return;
      pending = options.notify?.(event).then((trouble) => {
        if (trouble !== undefined) say(trouble);
      });
    };
    const update = () => {
      const snapshot = handle.snapshot();
      for (const text of changes(told, snapshot)) say(text);
      if (told === undefined) say('Type m and Enter for what you can do, ? for what you can look at.');
      const before = told;
      told = snapshot;
      tell(snapshot);
      if (open !== undefined && open.askId !== snapshot.ask?.id) {
        open = undefined;
        say('That question is no longer open; nothing was sent.');
      }
      const moved = open === undefined ? undefined : movedGround(open, snapshot);
      if (moved !== undefined) {
        open = undefined;
        say(`Nothing was sent: meanwhile ${moved}.`);
      }
      if (snapshot.ask === undefined) {
        // The ways on that were listed were answers to it.
        if (askedFor !== undefined) menu = [];
        askedFor = undefined;
        return;
      }
      if (snapshot.ask.id === askedFor) {
        // A menu that says "although the soak is not over" is wrong once it is.
        if (open === undefined && before !== undefined && overrideIn(before) !== overrideIn(snapshot)) offer(snapshot);
        return;
      }
      askedFor = snapshot.ask.id;
      say('');
      for (const text of describe(snapshot.ask, Date.parse(snapshot.now), isBack(snapshot))) say(text);
      offer(snapshot);
    };
    const unsubscribe = handle.subscribe(update);
    let unfollow: (() => void) | undefined;
    const finish = (leftBy: AccessibleResult['leftBy'], signal?: AccessibleResult['signal']) => {
      unsubscribe();
      unfollow?.();
      options.signal?.removeEventListener('abort', onAbort);
      resolve({ snapshot: handle.snapshot(), leftBy, ...(signal === undefined ? {} : { signal }) });
    };
    const onAbort = () => {
      handle.send({ kind: 'leave' });
      const { reason } = options.signal ?? {};
      void handle.ended.then(() => finish('signal', reason === 'SIGINT' || reason === 'SIGHUP' ? reason : 'SIGTERM'));
    };
    options.signal?.addEventListener('abort', onAbort, { once: true });
    // It may have come while the run was being reached.
    if (options.signal?.aborted) onAbort();
    lines.on('line', (raw) => {
      const text = raw.trim();
      const snapshot = handle.snapshot();
      if (open !== undefined) {
        open = answerLine(open, text, say, (intent) => handle.send(intent));
        return;
      }
      if (text === 'm') offer(snapshot);
      else if (text === '?') for (const look of LOOKS) say(`${look.letter}: ${look.what}.`);
      else if (LOOKS.some((look) => look.letter === text)) {
        if (text === 'l') unfollow ??= handle.followLogs();
        for (const row of LOOKS.find((look) => look.letter === text)?.lines(snapshot) ?? []) say(row);
      } else if (/^\d+$/.test(text)) {
        const choice = menu[Number(text) - 1];
        if (choice === undefined) say(`There is no ${text}. Type m for the list.`);
        else if (choice.safe) handle.send(choice.intent(undefined));
        else
          open = question(
            { choice, stage: choice.reason ? 'reason' : choice.typed ? 'typed' : 'sure', askId: snapshot.ask?.id },
            say,
          );
      } else if (text !== '') say('Type a number of the list, m for the list, ? for what you can look at.');
    });
    lines.on('close', () => {
      // The input is gone: nobody can answer any more.
      if (handle.snapshot().status === 'ended') return;
      handle.send({ kind: 'leave' });
    });
    update();
    void handle.ended.then((last) => {
      update();
      // Somebody may still be being told; that has a limit of its own.
      void Promise.resolve(pending).then(() => finish(last.outcome === 'parked' ? 'leave' : 'end'));
    });
  });
}

const overrideIn = ({ ask, now }: RunSnapshot): string | undefined =>
  ask?.kind === 'decide' ? overrideOf(ask, Date.parse(now)) : undefined;

/** Why an open question must not be answered any more; what only got better changes nothing. */
function movedGround({ choice }: Open, snapshot: RunSnapshot): string | undefined {
  const override = overrideIn(snapshot);
  return choice.premise === undefined || override === choice.premise ? undefined : override;
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
