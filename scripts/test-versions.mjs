// Runs the real tests of PgBouncer and PostgreSQL, and the whole rehearsal, against several versions of PgBouncer: the
// installed one, and the newest of Debian trixie and sid, unpacked beside it (scripts/fetch-pgbouncer.mjs).
//
//   npm run test:versions [-- --suites trixie,sid] [--no-rehearsal] [--postgres FOLDER_WITH_PROGRAMS]
//
// Ends with one line a version and exit code 1 when any of them failed.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    suites: { type: 'string', default: 'trixie,sid' },
    'no-rehearsal': { type: 'boolean', default: false },
    postgres: { type: 'string' },
  },
});
const version = (program) => execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0].trim();
const programs = [{ name: 'installed', env: {}, label: version('pgbouncer') }];
for (const suite of values.suites.split(',').filter(Boolean)) {
  const fetched = spawnSync(process.execPath, ['scripts/fetch-pgbouncer.mjs', '--suite', suite], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const program = fetched.stdout.trim().split('\n').at(-1);
  if (fetched.status !== 0 || !program) {
    console.error(`PgBouncer of ${suite} could not be unpacked`);
    process.exit(1);
  }
  programs.push({ name: suite, env: { PGB_PGBOUNCER: program }, label: version(program) });
}
const postgres = values.postgres ? { PGB_POSTGRES_BIN: values.postgres } : {};

const rows = [];
for (const { name, env, label } of programs) {
  const all = { ...process.env, ...env, ...postgres };
  console.log(`\n${label} (${name})`);
  const tests = spawnSync(
    process.execPath,
    ['scripts/test.mjs', '--project', 'real', 'src/engine/pgbouncer', 'src/engine/postgres', 'test/traps'],
    { env: all, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const counted = tests.stdout.trim().split('\n').at(-1);
  if (tests.status !== 0) console.log(tests.stdout);
  const row = { label, tests: counted, ok: tests.status === 0, rehearsal: 'not run' };
  if (!values['no-rehearsal']) Object.assign(row, rehearsal(all, row.ok));
  rows.push(row);
  console.log(`${row.label}: ${row.tests}; rehearsal: ${row.rehearsal}`);
}

/** All 16 services through this PgBouncer, with the load's own count of failed queries. */
function rehearsal(env, testsPassed) {
  const home = mkdtempSync(join(tmpdir(), 'pgbw-versions-'));
  try {
    const run = spawnSync(
      process.execPath,
      ['bin/pgb-wizard.js', 'rehearse', '--no-input', '--time-scale', '600', '-o', 'json'],
      { env: { ...env, HOME: home, PGB_WIZARD_HOME: home }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const answer = JSON.parse(run.stdout || '{}');
    const failed = answer.load?.totals?.failed;
    const cause = (answer.steps ?? []).find((step) => step.state === 'fail')?.cause;
    return {
      rehearsal: `exit ${run.status}, ${failed ?? '?'} failed queries${cause ? ` (${cause})` : ''}`,
      ok: testsPassed && run.status === 0 && failed === 0,
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const server = execFileSync(join(values.postgres ?? pgBin(), 'postgres'), ['--version'], { encoding: 'utf8' }).trim();
console.log(`\n${server}`);
for (const row of rows)
  console.log(`${row.ok ? 'passed' : 'FAILED'}  ${row.label}: ${row.tests}; rehearsal: ${row.rehearsal}`);
process.exitCode = rows.every((row) => row.ok) ? 0 : 1;

function pgBin() {
  const found = /BINDIR = (\S+)/.exec(execFileSync('pg_config', { encoding: 'utf8' }));
  return found?.[1] ?? '/usr/bin';
}
