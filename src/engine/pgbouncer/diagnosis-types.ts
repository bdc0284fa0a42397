/** The nouns of what goes wrong: lines of logs, symptoms, causes. */
import type { ConsoleRow } from './console-types.ts';
import type { PgBouncerVersion, Severity } from './types.ts';

export interface PoolerLogEntry {
  /** Id of the diagnosis row, or `unclassified`. */
  readonly id: string;
  readonly level: 'LOG' | 'WARNING' | 'ERROR' | 'FATAL' | 'NOTICE' | 'unknown';
  readonly severity: Severity;
  /** Sanitised. */
  readonly text: string;
  readonly count: number;
  /** 0-based index of the first line among those given. */
  readonly firstLine: number;
}

export interface PoolerLogScan {
  readonly lines: number;
  /** Lines that are errors whatever their level says. */
  readonly errors: number;
  readonly entries: readonly PoolerLogEntry[];
}

export interface Diagnosis {
  readonly id: string;
  readonly symptom: readonly RegExp[];
  /** All of these must be found too (in other lines). */
  readonly also?: readonly RegExp[];
  readonly severity: Severity;
  readonly title: string;
  readonly cause: string;
  readonly check: string;
  readonly fix: string;
  /** Console command that helps, sent to every pooler pod. */
  readonly command?: string;
}

/** What is known beside the texts; each makes a diagnosis sharper, none is required. */
export interface DiagnosisFacts {
  readonly poolerVersion?: PgBouncerVersion;
  readonly config?: ReadonlyMap<string, string>;
  readonly pools?: readonly ConsoleRow[];
  readonly databases?: readonly ConsoleRow[];
  readonly storedAs?: 'scram' | 'md5' | 'none' | 'unknown';
  readonly verifierMatches?: boolean;
}
