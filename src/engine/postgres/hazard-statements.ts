/** Statements that keep something in the session, by their text: shared by pg_stat_activity and pg_stat_statements. */
import type { Severity } from '../pgbouncer/types.ts';

export interface StatementHazard {
  readonly id: string;
  readonly severity: Severity;
  readonly title: string;
  readonly fix: string;
  readonly pattern: RegExp;
}

/** Parameters that PgBouncer follows per client, and forms of SET that end with the transaction. */
const HARMLESS_SET =
  '(?!local\\b|transaction\\b|session\\s+characteristics\\b|constraints\\b|application_name|client_encoding|names\\b|datestyle|timezone|time\\s+zone|standard_conforming_strings|intervalstyle|extra_float_digits)';

/** Comments and white space in front of the first word (sqlcommenter, ORMs' tags). */
const START = '^(?:\\s|--[^\\n]*\\n|/\\*[\\s\\S]*?\\*/)*';
const startsWith = (rest: string) => new RegExp(`${START}${rest}`, 'i');

const STATEMENT_HAZARDS: readonly StatementHazard[] = [
  {
    id: 'listen',
    severity: 'block',
    title: 'LISTEN receives nothing behind a transaction pooler',
    fix: 'Keep the listening connection direct; NOTIFY works through the pooler.',
    pattern: startsWith('(?:un)?listen\\b'),
  },
  {
    id: 'session-settings',
    severity: 'block',
    title: 'SET changes the session, which other clients then use',
    fix: 'SET LOCAL inside the transaction, or ALTER ROLE … IN DATABASE … SET.',
    pattern: startsWith(`set\\s+(?:session\\s+)?${HARMLESS_SET}[a-z_]`),
  },
  {
    id: 'session-settings',
    severity: 'block',
    title: 'SET changes the session, which other clients then use',
    fix: 'SET LOCAL inside the transaction, or ALTER ROLE … IN DATABASE … SET.',
    pattern: /\bset_config\s*\(\s*'(?!application_name)[^']*'\s*,[^()]*,\s*(?:false|'f')\s*\)/i,
  },
  {
    id: 'sql-prepare',
    severity: 'block',
    title: 'PREPARE and EXECUTE in SQL fail behind a transaction pooler in every version',
    fix: "Use the protocol's prepared statements (PgBouncer 1.21 and later), or none.",
    pattern: startsWith('(?:prepare\\s+(?!transaction)|execute\\s|deallocate\\s)'),
  },
  {
    id: 'session-advisory-lock',
    severity: 'block',
    title: 'Advisory locks are held by sessions, not transactions',
    fix: 'Use pg_advisory_xact_lock, or run it (migrations, schedulers, leader election) on the direct URL: behind the pooler two clients can hold the same lock.',
    pattern: /\bpg_(?:try_)?advisory_(?:un)?lock(?:_shared|_all)?\s*\(/i,
  },
  {
    id: 'cursor-with-hold',
    severity: 'block',
    title: 'A cursor WITH HOLD outlives its transaction',
    fix: 'Read it inside the transaction, or page by key.',
    pattern: startsWith('declare\\s[\\s\\S]*?\\bwith\\s+hold\\b'),
  },
  {
    id: 'temporary-table',
    severity: 'block',
    title: 'Temporary tables outlive their transaction',
    fix: 'CREATE TEMP TABLE … ON COMMIT DROP inside one transaction, or an unlogged table; else keep this connection direct.',
    // ON COMMIT DROP ends with the transaction and is fine.
    pattern: startsWith('create\\s+(?:local\\s+|global\\s+)?temp(?:orary)?\\s(?![\\s\\S]*\\bon\\s+commit\\s+drop\\b)'),
  },
  {
    id: 'session-state',
    severity: 'warn',
    title: 'Statements that read or clear the state of the session',
    fix: 'Use RETURNING instead of currval and lastval; DISCARD and LOAD belong to a direct connection.',
    pattern: /^\s*(?:discard\s|load\s)|\b(?:currval|lastval)\s*\(/i,
  },
];

/** The hazards of one statement, each id once. */
export function statementHazards(query: string): StatementHazard[] {
  const found = new Map<string, StatementHazard>();
  for (const hazard of STATEMENT_HAZARDS)
    if (!found.has(hazard.id) && hazard.pattern.test(query)) found.set(hazard.id, hazard);
  return [...found.values()];
}
