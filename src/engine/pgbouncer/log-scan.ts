/**
 * What a pooler's log says. `grep -i error` misses most of it: PgBouncer logs failed connections to PostgreSQL at level LOG
 * (`closing because: connect failed`), and its timeouts are spelt `query_wait_timeout` and `query timeout`.
 */
import { sanitiseLine } from '../sanitise.ts';
import { DIAGNOSES } from './diagnoses.ts';
import type { Diagnosis, PoolerLogEntry, PoolerLogScan } from './diagnosis-types.ts';
import { normaliseAddress } from './pools.ts';

const LEVEL = /\b(LOG|WARNING|ERROR|FATAL|NOTICE|DEBUG|NOISE)\b/;

/** Ordinary ends of clients and servers, and the once-a-minute statistics line. */
const ORDINARY =
  /closing because: (?:client close request|client unexpected eof|server (?:idle|lifetime) (?:timeout|over)|server lifetime over|client_idle|unclean server|reconnect|database configuration changed|close_needed|server idle timeout)|\bstats: |login attempt:|new connection to server|got SIG|kernel file descriptor|listening on|process up|SSL established/i;

/** The row of the table that this one line is a symptom of. */
export function classifyLine(line: string): Diagnosis | undefined {
  return DIAGNOSES.find((row) => row.symptom.some((pattern) => pattern.test(line)));
}

const levelOf = (line: string): PoolerLogEntry['level'] => {
  const level = LEVEL.exec(line)?.[1];
  return level === 'LOG' || level === 'WARNING' || level === 'ERROR' || level === 'FATAL' || level === 'NOTICE'
    ? level
    : 'unknown';
};

/** The text without what differs from one occurrence to the next: times, pids, ports, addresses of objects. */
const shape = (line: string): string =>
  line
    .replace(/^[\d-]+ [\d:.]+ \S+ \[\d+\] /, '')
    .replace(/\b[CS]-0x[0-9a-f]+/g, '*')
    .replace(/:\d{2,5}\b/g, ':*')
    .replace(/\(age=\d+\w?\)/g, '');

/** Classifies the lines of a pooler's log; the same error from many clients is one entry with a count. */
export function scanPoolerLog(lines: readonly string[]): PoolerLogScan {
  const entries = new Map<string, PoolerLogEntry>();
  let errors = 0;
  for (const [index, raw] of lines.entries()) {
    const line = raw.length > 4000 ? raw.slice(0, 4000) : raw;
    const level = levelOf(line);
    const row = classifyLine(line);
    // A line of level LOG counts only when the table knows it; WARNING and above count unless they are ordinary.
    const counts = row
      ? row.severity !== 'info'
      : (level === 'WARNING' || level === 'ERROR' || level === 'FATAL') && !ORDINARY.test(line);
    if (!row && !counts) continue;
    if (counts) errors++;
    const id = row?.id ?? 'unclassified';
    const key = `${id} ${shape(line)}`;
    const known = entries.get(key);
    entries.set(
      key,
      known
        ? { ...known, count: known.count + 1 }
        : { id, level, severity: row?.severity ?? 'warn', text: sanitiseLine(line, 400), count: 1, firstLine: index },
    );
  }
  return { lines: lines.length, errors, entries: [...entries.values()] };
}

/**
 * Address → when it logged in last (ms), from the lines of a pooler's log with the node's time before each
 * (`log_connections`, PgBouncer's default).
 */
export function loginsIn(lines: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of lines) {
    const match = LOGIN.exec(line);
    const at = Date.parse(match?.[1] ?? '');
    if (!match || match[2] === 'pgbouncer' || Number.isNaN(at)) continue;
    const address = normaliseAddress(match[3] ?? match[4] ?? '');
    found.set(address, Math.max(at, found.get(address) ?? 0));
  }
  return found;
}

const LOGIN = /^(\S+) .*\bC-0x[0-9a-f]+: ([^/\s]+)\/\S+?@(?:\[([0-9a-f:.]+)\]|([0-9.]+)):\d+ login attempt/i;
