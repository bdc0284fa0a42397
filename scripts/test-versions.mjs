// Runs the real tests of PgBouncer and PostgreSQL, and the whole rehearsal, against several versions of both: the installed
// ones, and those of Debian trixie and sid, unpacked beside them (scripts/fetch-pgbouncer.mjs, scripts/fetch-postgres.mjs).
// Each suite's PgBouncer meets the same suite's PostgreSQL; with --every each PgBouncer meets each PostgreSQL.
//
//   npm run test:versions [-- --suites trixie,sid] [--every] [--no-rehearsal] [--postgres FOLDER_WITH_PROGRAMS]
//
// Ends with one line a pair and exit code 1 when any of them failed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    suites: { type: 'string', default: 'trixie,sid' },
    every: { type: 'boolean', default: false },
    'no-rehearsal': { type: 'boolean', default: false },
    postgres: { type: 'string' },
  },
});
const version = (program) => execFileSync(program, ['--version'], { encoding: 'utf8' }).split('\n')[0].trim();

function fetched(script, suite) {
  const done = spawnSync(process.execPath, [script, '--suite', suite], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const place = done.stdout.trim().split('\n').at(-1);
  if (done.status !== 0 || !place) {
    console.error(`${script} could not unpack anything of ${suite}`);
    process.exit(1);
  }
  return place;
}

const poolers = [{ suite: 'installed', env: {}, label: version('pgbouncer') }];
const servers = [
  {
    suite: 'installed',
    env: values.postgres ? { PGB_POSTGRES_BIN: values.postgres } : {},
    label: version(join(values.postgres ?? pgBin(), 'postgres')),
  },
];
for (const suite of values.suites.split(',').filter(Boolean)) {
  const program = fetched('scripts/fetch-pgbouncer.mjs', suite);
  poolers.push({ suite, env: { PGB_PGBOUNCER: program }, label: version(program) });
  if (values.postgres) continue;
  const bin = fetched('scripts/fetch-postgres.mjs', suite);
  servers.push({ suite, env: { PGB_POSTGRES_BIN: bin }, label: version(join(bin, 'postgres')) });
}
const pairs = poolers.flatMap((pooler) =>
  servers
    .filter((server) => values.every || values.postgres || server.suite === pooler.suite)
    .map((server) => ({
      env: { ...pooler.env, ...server.env },
      label: `${pooler.label.replace(/ \(.*/, '')}, ${server.label.replace(/^postgres \(PostgreSQL\)/, 'PostgreSQL').replace(/ \(.*/, '')}`,
    })),
);

const rows = [];
for (const { env, label } of pairs) {
  const all = { ...process.env, ...env };
  console.log(`\n${label}`);
  const tests = spawnSync(
    process.execPath,
    ['scripts/test.mjs', '--project', 'real', 'src/engine', 'test/traps', 'test/credentials', 'test/doctor'],
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

console.log('');
for (const row of rows)
  console.log(`${row.ok ? 'passed' : 'FAILED'}  ${row.label}: ${row.tests}; rehearsal: ${row.rehearsal}`);
process.exitCode = rows.every((row) => row.ok) ? 0 : 1;

/** Where the tests find PostgreSQL: the newest of Debian's folders, else beside the one on PATH. */
function pgBin() {
  const debian = '/usr/lib/postgresql';
  const [newest] = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  if (newest !== undefined) return join(debian, newest, 'bin');
  return dirname(realpathSync(execFileSync('which', ['postgres'], { encoding: 'utf8' }).trim()));
}
