/**
 * A command is data: name, summary, flags, examples and a handler. The help texts, the shell completions and
 * docs/commands.md are made from the same table (`commands/index.ts`), so that they cannot disagree.
 */
import { ok, type Result } from '../engine/result.ts';
import type { Io } from './io.ts';
import { type Parser, parseChoice } from './values.ts';

/** A flag of type `T`. Its long name is its key in the flag table: `requestTimeout` → `--request-timeout`. */
export interface Flag<T> {
  readonly summary: string;
  readonly short?: string;
  /** Name of the value in help texts (`NAME`); absent for a switch. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly repeatable?: boolean;
  /** What an absent flag means. */
  readonly initial: T;
  /** `initial` in words, for the help. */
  readonly initially?: string;
  /** Shell completion offers file names. */
  readonly file?: boolean;
  readonly group: FlagGroup;
  /** Between processes of this program only: not in the help, the completions or the docs. */
  readonly hidden?: boolean;
  readonly parse: Parser<unknown>;
}

export type FlagGroup = 'command' | 'cluster' | 'passwords' | 'output';

// biome-ignore lint/suspicious/noExplicitAny: a table holds flags of many types; `Values` gives each its own back.
export type Flags = Readonly<Record<string, Flag<any>>>;

export type Values<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

export interface Argument {
  readonly name: string;
  readonly summary: string;
  readonly choices?: readonly string[];
  readonly optional?: boolean;
}

export interface Command<F extends Flags = Flags> {
  readonly name: string;
  readonly summary: string;
  /** A paragraph or two for `help NAME`. */
  readonly description?: string;
  readonly arguments?: readonly Argument[];
  readonly flags: F;
  readonly examples?: readonly (readonly [command: string, what: string])[];
  /** Answers the exit code. Imports what it needs when it runs, so that the table itself stays light. */
  readonly handler: (invocation: Invocation<F>) => Promise<Result<number>>;
}

export interface Invocation<F extends Flags> {
  readonly command: string;
  readonly values: Values<F>;
  readonly args: readonly string[];
  readonly io: Io;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** A command of the table, its flag types forgotten: what the parser and the generators work on. */
export type AnyCommand = Omit<Command, 'handler'> & {
  // biome-ignore lint/suspicious/noExplicitAny: the values are made from the same flag table just before the call.
  readonly handler: (invocation: Invocation<any>) => Promise<Result<number>>;
};

/** Keeps the flags' types for the handler. */
export function command<F extends Flags>(spec: Command<F>): AnyCommand {
  return spec;
}

/** `requestTimeout` → `request-timeout`. */
export const longName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

type Extra = Partial<Pick<Flag<unknown>, 'short' | 'group' | 'initially' | 'file' | 'hidden'>>;

/** A switch. */
export const toggle = (summary: string, extra: Extra = {}): Flag<boolean> => ({
  summary,
  initial: false,
  group: 'command',
  parse: () => ok(true),
  ...extra,
});

/** A flag with a free text. */
export const text = (value: string, summary: string, extra: Extra = {}): Flag<string | undefined> => ({
  summary,
  value,
  initial: undefined,
  group: 'command',
  parse: ok,
  ...extra,
});

/** A flag whose value is parsed. */
export const parsed = <T>(
  value: string,
  summary: string,
  parse: Parser<T>,
  extra: Extra = {},
): Flag<T | undefined> => ({
  summary,
  value,
  initial: undefined,
  group: 'command',
  parse,
  ...extra,
});

/** Choices longer than this are listed beside the flag, not in it. */
const LONGEST_CHOICES = 20;

/** A flag with one of a few words. */
export const choice = <const T extends string>(
  choices: readonly T[],
  summary: string,
  extra: Extra = {},
): Flag<T | undefined> => ({
  summary,
  value: choices.join('|').length <= LONGEST_CHOICES ? choices.join('|') : 'WORD',
  choices,
  initial: undefined,
  group: 'command',
  parse: parseChoice(choices),
  ...extra,
});

/** A flag that may be given several times. */
export const many = <T>(value: string, summary: string, parse: Parser<T>, extra: Extra = {}): Flag<readonly T[]> => ({
  summary,
  value,
  repeatable: true,
  initial: [],
  group: 'command',
  parse,
  ...extra,
});
