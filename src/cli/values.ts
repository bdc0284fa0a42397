/** Parsers of flag values. Each answers a `Result`, so that a wrong value is one usage error that names the flag. */
import { didYouMean } from '../engine/plan/suggest.ts';
import { fail, ok, type Result } from '../engine/result.ts';

export type Parser<T> = (text: string) => Result<T>;

const usage = (message: string, next?: string) => fail('usage', message, next === undefined ? {} : { next: [next] });

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `1m30s`, `4h`, `500ms`, as Go writes durations; a bare number is seconds, as in kubectl. Answers ms. */
export function parseDuration(text: string): Result<number> {
  const trimmed = text.trim();
  if (/^\d+$/.test(trimmed)) return ok(Number(trimmed) * 1000);
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) {
    return usage(`'${text}' is not a duration.`, 'Write it like 30s, 5m, 1h30m or 500ms.');
  }
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * UNIT_MS[unit!]!;
  }
  return ok(total);
}

/** A whole number within bounds, both inclusive. */
export function parseInteger(low: number, high: number): Parser<number> {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text.trim()) || value < low || value > high) {
      return usage(`'${text}' is not a whole number from ${low} to ${high}.`);
    }
    return ok(value);
  };
}

/** A number above zero, for scales. */
export function parseScale(text: string): Result<number> {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 1 || value > 100_000) {
    return usage(
      `'${text}' is not a number from 1 to 100000.`,
      '1 is real time; 60 makes an hour of waiting a minute.',
    );
  }
  return ok(value);
}

/** One of a closed list, with a suggestion when it is nearly one of them. */
export function parseChoice<const T extends string>(choices: readonly T[]): Parser<T> {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return ok(found);
    return usage(`'${text}' is not one of ${choices.join(', ')}.${suggestion(text, choices)}`);
  };
}

/** A name that may go into a file name, a URL or an annotation. */
export function parseName(what: string, pattern = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,252}$/): Parser<string> {
  return (text) => (pattern.test(text) ? ok(text) : usage(`'${text}' is not ${what}.`));
}

/** ` Did you mean x?`, or nothing when no candidate is near. */
export function suggestion(text: string, candidates: readonly string[]): string {
  const near = didYouMean(text, candidates);
  return near === undefined ? '' : ` Did you mean ${near}?`;
}

/** `postgres:5432`: the name of a Service and a port. */
export function parseEndpoint(text: string): Result<{ readonly service: string; readonly port: number }> {
  const [, service, port] = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?):(\d{1,5})$/.exec(text)?.filter((_, i) => i !== 2) ?? [];
  if (service === undefined || Number(port) < 1 || Number(port) > 65535) {
    return usage(`'${text}' is not SERVICE:PORT.`, 'Write it like postgres:5432.');
  }
  return ok({ service, port: Number(port) });
}
