/** What an operator does who reads the screen and says yes: to the point where something else is to be done. */
import { matches, type Seen, type Terminal } from './terminal.ts';

const PROMPT = /\[Enter\] does it|\[y\/N\] y, then Enter/;
const TYPED = /Type (\S+) and Enter:/;
const isPrompt = (screen: string) => PROMPT.test(screen) || TYPED.test(screen);

/** Presses the key, waits for its question and says yes: Enter, `y` and Enter, or the name that is asked for. */
export async function confirm(terminal: Terminal, key: string, limitMs?: number): Promise<void> {
  await terminal.keys(key);
  const asked = await terminal.see(isPrompt, limitMs);
  const name = TYPED.exec(asked)?.[1];
  if (name !== undefined) {
    await terminal.keys(...name);
    await terminal.see((screen) => screen.includes(`Enter: ${name}`));
    await terminal.keys('enter');
  } else if (asked.includes('[y/N]')) await terminal.keys('y', 'enter');
  else await terminal.keys('enter');
  await terminal.see((screen) => !isPrompt(screen) && !/sent; the run answers here/.test(screen), limitMs);
}

export interface Habits {
  /** Approves a phase's switches at once where it can. */
  readonly phases?: boolean;
}

/** Answers every confirmation and every decision that is due with yes, until the screen shows `until`. */
export async function approveUntil(
  terminal: Terminal,
  until: Seen,
  limitMs = 240_000,
  { phases = false }: Habits = {},
): Promise<string> {
  const end = performance.now() + limitMs;
  for (;;) {
    const left = end - performance.now();
    const screen = await terminal.see((now) => matches(now, until) || CHOICES.test(now), Math.max(left, 1));
    if (matches(screen, until)) return screen;
    if (/Enter show the first change/.test(screen)) {
      await terminal.keys('enter');
      await terminal.see((now) => !/Enter show the first change/.test(now));
    } else if (/soak is over: continuing is safe/.test(screen)) await confirm(terminal, 'c');
    else await confirm(terminal, phases && /guide 2\.1|guide 3\.1|guide 4\.1/.test(screen) ? 'a' : 'y');
  }
}

/** A footer that asks for the operator's word now. */
const CHOICES = /Enter show the first change|^ y approve|soak is over: continuing is safe/m;
