/** From what was seen (log lines, errors of clients, rows of the console) to findings a person can act on. */
import type { DoctorFinding } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { DIAGNOSES } from './diagnoses.ts';
import type { Diagnosis, DiagnosisFacts } from './diagnosis-types.ts';
import { atLeast } from './version.ts';

export { DIAGNOSES } from './diagnoses.ts';

/** Consequences that say nothing when their cause was found too. */
const CONSEQUENCE_OF: Readonly<Record<string, readonly string[]>> = {
  'query-wait-timeout': [
    'upstream-unreachable',
    'upstream-dns',
    'upstream-tls',
    'server-password',
    'scram-keys-missing',
    'postgres-full',
    'postgres-hba',
    'upstream-database-missing',
  ],
  'server-login-cached': [
    'server-password',
    'scram-keys-missing',
    'postgres-hba',
    'upstream-database-missing',
    'postgres-full',
  ],
  'client-login-timeout': ['upstream-unreachable', 'upstream-dns', 'upstream-tls', 'server-password'],
  'client-password': ['auth-file', 'configuration'],
  'upstream-unreachable': ['upstream-dns', 'upstream-tls'],
};

/** The kubelet's own words on an application that does not answer its probe: nothing in them is about a pooler. */
const PROBE = /(?:readiness|liveness|startup) probe (?:failed|errored)/i;

/** What the facts add to a row: the observed value, or a sharper fix. */
function observed(row: Diagnosis, line: string, facts: DiagnosisFacts): { observed: string; fix: string } {
  const seen = sanitiseLine(line, 300);
  const also: string[] = [];
  let fix = row.fix;
  if (row.id === 'prepared-statement' && facts.poolerVersion) {
    const setting = facts.config?.get('max_prepared_statements');
    also.push(`PgBouncer ${facts.poolerVersion.text}, max_prepared_statements ${setting ?? 'unknown to it'}`);
    if (!atLeast(facts.poolerVersion, 1, 21)) {
      fix = `PgBouncer ${facts.poolerVersion.text} cannot keep them: run 1.21 or later, or turn prepared statements off in the driver; RECONNECT clears orphans`;
    } else if (setting !== undefined && setting !== '0') {
      fix = "max_prepared_statements is set, so this is PREPARE in SQL: use the protocol's prepared statements instead";
    }
  }
  if (row.id === 'startup-parameter') {
    const name = /parameter(?: in options)?: ?"?([A-Za-z_.]+)/i.exec(line)?.[1];
    if (name) {
      also.push(`parameter ${name}`);
      fix =
        name === 'extra_float_digits'
          ? 'Add extra_float_digits to ignore_startup_parameters, then RELOAD'
          : `Take ${name} out of the URL and set it with ALTER ROLE … IN DATABASE … SET; ignoring it would drop the value silently`;
    }
  }
  if (row.id === 'server-password' && facts.verifierMatches === false) {
    also.push('the verifier in the userlist is not the one in pg_authid');
  }
  if (row.id === 'query-wait-timeout' && facts.pools) {
    for (const pool of facts.pools.filter((each) => Number(each.cl_waiting) > 0)) {
      also.push(`${sanitiseLine(pool.database, 60)}: ${pool.cl_waiting} waiting, ${pool.sv_active} active`);
    }
  }
  return { observed: [seen, ...also].join(' · '), fix };
}

/**
 * Findings for these texts, the sharpest cause first, each row once. A consequence (`query_wait_timeout`) is left out when
 * its cause stands beside it. States without any text (PAUSE, DISABLE, waiting clients) come from the facts.
 */
export function diagnose(texts: readonly string[], facts: DiagnosisFacts = {}): DoctorFinding[] {
  return diagnoseRows(texts, facts).map(([, finding]) => finding);
}

/** The same with the id of each: a row of the table, or `database-paused`, `database-disabled`, `clients-waiting`. */
export function diagnoseRows(
  texts: readonly string[],
  facts: DiagnosisFacts = {},
): (readonly [string, DoctorFinding])[] {
  const hits = new Map<string, { row: Diagnosis; line: string }>();
  for (const text of texts) {
    for (const line of text.slice(0, 1_000_000).split(/\r?\n/)) {
      if (PROBE.test(line)) continue;
      const row = DIAGNOSES.find((each) => each.symptom.some((pattern) => pattern.test(line)));
      if (row && !hits.has(row.id) && (row.also ?? []).every((pattern) => texts.some((each) => pattern.test(each)))) {
        hits.set(row.id, { row, line });
      }
    }
  }
  const findings = [...hits.values()]
    .filter(({ row }) => !(CONSEQUENCE_OF[row.id] ?? []).some((cause) => hits.has(cause)))
    .sort((a, b) => DIAGNOSES.indexOf(a.row) - DIAGNOSES.indexOf(b.row))
    .map(({ row, line }) => {
      const { observed: seen, fix } = observed(row, line, facts);
      return [row.id, { symptom: row.title, cause: row.cause, check: row.check, observed: seen, fix }] as const;
    });
  return [...stateFindings(facts), ...findings];
}

/** What `SHOW DATABASES` and `SHOW POOLS` tell without a single log line. */
function stateFindings(facts: DiagnosisFacts): (readonly [string, DoctorFinding])[] {
  const findings: (readonly [string, DoctorFinding])[] = [];
  for (const row of facts.databases ?? []) {
    const name = sanitiseLine(row.name, 60);
    if (Number(row.paused) > 0) {
      findings.push([
        'database-paused',
        {
          symptom: `The database ${name} is paused`,
          cause: 'Somebody sent PAUSE (or KILL): clients hang and nothing is logged',
          check: 'paused in SHOW DATABASES',
          observed: `${name}: paused ${row.paused}`,
          fix: `RESUME ${name}`,
        },
      ]);
    }
    if (Number(row.disabled) > 0) {
      findings.push([
        'database-disabled',
        {
          symptom: `The database ${name} is disabled`,
          cause: 'Somebody sent DISABLE: new clients are refused',
          check: 'disabled in SHOW DATABASES',
          observed: `${name}: disabled ${row.disabled}`,
          fix: `ENABLE ${name}`,
        },
      ]);
    }
  }
  for (const pool of facts.pools ?? []) {
    const waiting = Number(pool.cl_waiting);
    const seconds = Number(pool.maxwait ?? 0);
    if (waiting > 0 && seconds >= 1) {
      findings.push([
        'clients-waiting',
        {
          symptom: `${waiting} ${waiting === 1 ? 'client waits' : 'clients wait'} for a server connection`,
          cause: 'Every server connection of the pool is busy, or PostgreSQL does not accept another',
          check: 'sv_active against pool_size; sessions idle in transaction',
          observed: `${sanitiseLine(pool.database, 60)}/${sanitiseLine(pool.user, 60)}: sv_active ${pool.sv_active}, maxwait ${seconds} s`,
          fix: 'End long transactions; SET pool_size within the budget',
        },
      ]);
    }
  }
  return findings;
}
