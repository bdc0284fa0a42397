/**
 * Which log lines are complaints, and which of them are new. The guide greps for "error". Real applications write that
 * word when nothing is wrong, and some complain all the time; neither is the switch's doing. So a line that carries a
 * level below error counts only when it tells of a lost or refused connection, and a line whose shape (its text without
 * numbers, ids and quotes) was in the log before the switch is old.
 */
import { createHash } from 'node:crypto';
import { sanitiseLine } from '../sanitise.ts';

const ERROR_LINE =
  /\b(error|fatal|panic|panicked|exception|traceback|econnrefused|connection (?:refused|reset|timed out)|timed? ?out)\b/i;
// Words that only look like one ("error_rate=0", "errors: 0") are not errors.
const NOT_AN_ERROR =
  /\b(?:errors?|failures?|error_?(?:rate|count))["']?\s*[=:]\s*["']?(?:0(?:\.0+)?|null|false|none|nil|""|'')(?=$|[\s,;}\])"'])|\bno errors?\b|\b(?:0|zero) errors?\b|\berror[_ -]?(?:handler|handling|page|reporting|boundary|middleware|log(?:ging)?)\b/i;
/** What a pooler, or the lack of one, does to an application, whatever level it is logged with. */
const CONNECTION =
  /econnrefused|connection (?:refused|reset|terminated)|prepared statement .* (?:already exists|does not exist)|server closed the connection|password authentication failed|query_wait_timeout|no more connections allowed|unsupported startup parameter|too many (?:clients|connections)|no such (?:user|database)|SASL authentication failed/i;
const LEVEL =
  /(?:"(?:level|severity|lvl|log\.level)"\s*:\s*"?|\b(?:level|lvl|severity)="?|^\s*(?:\S+\s+){0,3}?\[?)(trace|debug|info|information|notice|warn|warning|error|err|fatal|panic|critical|crit)\b/i;
/** pino and bunyan write numbers: 30 is info, 40 warn, 50 error. */
const NUMERIC_LEVEL = /"level"\s*:\s*(\d{2})\b/;
const HARMLESS = new Set(['trace', 'debug', 'info', 'information', 'notice']);

function isComplaint(line: string): boolean {
  if (CONNECTION.test(line)) return true;
  if (!ERROR_LINE.test(line) || NOT_AN_ERROR.test(line)) return false;
  const numeric = NUMERIC_LEVEL.exec(line)?.[1];
  if (numeric !== undefined) return Number(numeric) >= 40;
  const level = LEVEL.exec(line)?.[1]?.toLowerCase();
  return level === undefined || !HARMLESS.has(level);
}

/** The lines that look like errors, sanitised. */
export const errorLines = (lines: readonly string[]): string[] =>
  lines.filter(isComplaint).map((line) => sanitiseLine(line, 300));

/** A line without what differs each time: digest of eight hex digits, so that nothing of a log gets into the journal. */
export function shapeOf(line: string): string {
  const shape = line
    .toLowerCase()
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '#')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{6,}\b/g, '#')
    .replace(/\d+/g, '#')
    .replace(/\s+/g, ' ')
    .trim();
  return createHash('sha256').update(shape).digest('hex').slice(0, 8);
}

/** Shapes of the complaints in a log from before the switch; a bounded number of them. */
export const shapesOf = (lines: readonly string[], most = 200): string[] =>
  [...new Set(lines.filter(isComplaint).map(shapeOf))].slice(0, most);

/**
 * Complaints that were not there before the switch. One that tells of a connection is never old: a service that lost
 * connections before does not get to lose them to the pooler unseen.
 */
export function newComplaints(lines: readonly string[], before: ReadonlySet<string>): string[] {
  return lines
    .filter((line) => isComplaint(line) && (CONNECTION.test(line) || !before.has(shapeOf(line))))
    .map((line) => sanitiseLine(line, 300));
}

/**
 * SQLSTATEs as drivers print them: `SQLSTATE 42P05`, `SQL State: 08006`, `code: '57P01'`, `"code":"53300"`. Classes that a
 * pooler, a lost session or a full server brings; those of the application's own data (22, 23) and of retries (40) are its
 * daily bread.
 */
const SQLSTATE = /\b(?:sql_?\s?state|code)\W{1,4}((?:08|0A|25|26|28|34|3D|3F|42|53|54|55|57|58|F0|XX)[0-9A-Z]{3})\b/i;

/** Those of the new complaints that come from the database or the way to it. */
export function newDatabaseErrors(lines: readonly string[], before: ReadonlySet<string>): string[] {
  return lines
    .filter((line) => CONNECTION.test(line) || (SQLSTATE.test(line) && !before.has(shapeOf(line))))
    .map((line) => sanitiseLine(line, 300));
}
