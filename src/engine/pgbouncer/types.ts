/**
 * The nouns that all of the PgBouncer and PostgreSQL knowledge shares: plain data, no behaviour. Functions return `Result`
 * where a server, a stream or an operator's text can be wrong.
 */
import type { Duplex } from 'node:stream';
import type { Result } from '../result.ts';

/** Opens one byte stream to a pod's port (a port-forward); called again for each reconnect. */
export type Connect = () => Promise<Result<Duplex>>;

/** `block`: the change must not go on · `warn`: a human decides · `info`: worth knowing. */
export type Severity = 'info' | 'warn' | 'block';

/** Something found by a check; plain data, sanitised, for screens and the record. */
export interface Finding {
  /** Stable, kebab-case: `named-prepared-statements`, `budget-exceeded`. */
  readonly id: string;
  readonly severity: Severity;
  /** One line. */
  readonly title: string;
  /** What was seen. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
  /** Services it was attributed to; empty or absent: could not be attributed to one. */
  readonly services?: readonly string[];
}

/** From `parseVersion` (config.ts); compare with `atLeast(version, 1, 21)`. */
export interface PgBouncerVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** `1.18.0` */
  readonly text: string;
}
