/** Data on standard output as JSON or YAML; messages go to standard error elsewhere. */
import { type Io, write } from './io.ts';

export type Format = 'json' | 'yaml' | 'wide' | undefined;

export const ENVELOPE_SCHEMA = 'pgb-wizard/v1';

/** What every command with `-o json` prints: one object, one line feed at its end. */
export interface Envelope {
  readonly schema: typeof ENVELOPE_SCHEMA;
  readonly command: string;
  readonly runId?: string;
  readonly outcome: string;
  readonly exitCode: number;
  readonly [field: string]: unknown;
}

export function envelope(
  command: string,
  outcome: string,
  exitCode: number,
  more: Record<string, unknown> = {},
): Envelope {
  return { schema: ENVELOPE_SCHEMA, command, outcome, exitCode, ...more };
}

export const isMachine = (format: Format): format is 'json' | 'yaml' => format === 'json' || format === 'yaml';

/** Prints one document. */
export async function print(io: Io, format: 'json' | 'yaml', data: unknown): Promise<void> {
  if (format === 'json') {
    await write(io.stdout, `${JSON.stringify(data, null, 2)}\n`);
    return;
  }
  const { stringify } = await import('./lazy/yaml.ts');
  // Through JSON first: YAML then shows exactly what the JSON would (no undefined, no class instances).
  await write(io.stdout, stringify(JSON.parse(JSON.stringify(data))));
}

/** Columns of a plain table, aligned, two spaces apart; no line ends in blanks. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
