// npm run test:cluster
//
// The journeys against the cluster of KUBECONFIG, in a namespace that is made for them and removed afterwards:
//   PGB_TEST_IMAGE           image with PostgreSQL, pgbouncer and node (not needed on a rehearsal cluster)
//   PGB_TEST_EXPORTER_IMAGE  image of the Prometheus exporter; without it the poolers run without one
//   PGB_TEST_AS              a user without rights: gets the Role that `rbac` prints, and the run goes as this user (--as)
// Ends with `N passed, N failed`.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterObjects, SERVICES } from './cluster/objects.mjs';

const namespace = `pgb-wizard-test-${randomBytes(4).toString('hex')}`;
const home = mkdtempSync(join(tmpdir(), 'pgb-wizard-cluster-'));
const image = process.env.PGB_TEST_IMAGE;
const exporterImage = process.env.PGB_TEST_EXPORTER_IMAGE;
/** Runs with the printed Role alone; absent: with whatever rights KUBECONFIG gives. */
const as = process.env.PGB_TEST_AS;
let passed = 0;
let failed = 0;

function run(program, args, { input, env = {} } = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

async function kubectl(...args) {
  const last = args.at(-1);
  const options = typeof last === 'object' ? args.pop() : {};
  const done = await run('kubectl', args, options);
  if (done.code !== 0) throw new Error(`kubectl ${args.slice(0, 3).join(' ')}: ${done.stderr.trim()}`);
  return done.stdout;
}

const wizard = (...args) =>
  run(process.execPath, ['bin/pgb-wizard.js', ...args, '-n', namespace], {
    env: {
      HOME: home,
      PGB_WIZARD_HOME: home,
      ...(process.env.KUBECONFIG ? {} : { KUBECONFIG: `${process.env.HOME}/.kube/config` }),
    },
  });

/** As the user of the Role, where there is one. */
const operator = (...args) => wizard(...args, '-o', 'json', ...(as ? ['--as', as] : []));

async function check(name, body) {
  const began = performance.now();
  try {
    await body();
    passed++;
    console.log(`pass  ${name}  (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n      ${String(error.message).split('\n').join('\n      ')}`);
  }
}

function envelopeOf({ code, stdout, stderr }, wanted) {
  let envelope;
  try {
    envelope = JSON.parse(stdout);
  } catch {
    throw new Error(`no envelope, exit ${code}\n${stderr.slice(-3000)}`);
  }
  if (code === wanted) return envelope;
  const open = (envelope.steps ?? [])
    .filter((step) => step.state === 'fail' || step.state === 'inconclusive')
    .map((step) => `${step.id} ${step.state}: ${step.cause}`);
  throw new Error([`exit ${code} instead of ${wanted}`, ...open, stderr.slice(-1500)].join('\n'));
}

const sorted = (value) =>
  Array.isArray(value)
    ? value.map(sorted)
    : value !== null && typeof value === 'object'
      ? Object.fromEntries(
          Object.keys(value)
            .sort()
            .map((key) => [key, sorted(value[key])]),
        )
      : value;

async function specs() {
  const found = {};
  for (const { name, kind } of SERVICES) {
    const object = JSON.parse(await kubectl('get', kind.toLowerCase(), name, '-n', namespace, '-o', 'json'));
    found[name] = JSON.stringify(sorted(object.spec));
  }
  return found;
}

function same(before, after) {
  const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
  if (changed.length > 0) throw new Error(`another spec than before: ${changed.join(', ')}`);
}

async function prepare(rehearsal) {
  await kubectl('create', 'namespace', namespace);
  const password = randomBytes(12).toString('base64url');
  const objects = clusterObjects({ namespace, image, password, rehearsal });
  const of = (test) =>
    objects
      .filter(test)
      .map((one) => JSON.stringify(one))
      .join('\n');
  const first = (one) => !['Deployment', 'StatefulSet', 'DaemonSet', 'CronJob'].includes(one.kind);
  await kubectl('create', '-f', '-', { input: of(first) });
  await kubectl('wait', '--for=condition=Ready', 'pod/postgres', '-n', namespace, '--timeout=300s');
  await kubectl('create', '-f', '-', { input: of((one) => !first(one)) });
  for (const { name, kind } of SERVICES) {
    if (kind === 'CronJob' || name === 'paused') continue;
    await kubectl('rollout', 'status', `${kind.toLowerCase()}/${name}`, '-n', namespace, '--timeout=300s');
  }
  const plan = {
    apiVersion: 'pgb-wizard/v1',
    kind: 'MigrationPlan',
    name: 'cluster-test',
    namespace,
    pooler: {
      image: rehearsal ? 'pgbouncer:rehearsal' : image,
      ...(rehearsal ? { exporterImage: 'pgbouncer-exporter:rehearsal' } : exporterImage ? { exporterImage } : {}),
    },
    baseline: { enabled: false },
    observe: { every: '2s', for: '6s' },
    phases: [{ id: 'p2', title: 'All', soak: '10s', services: SERVICES.map(({ name, kind }) => ({ name, kind })) }],
  };
  const file = join(home, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  return file;
}

async function main() {
  const rehearsal = (await run('kubectl', ['get', '--raw', '/rehearsal/v1/load'])).code === 0;
  if (!rehearsal && !image) throw new Error('set PGB_TEST_IMAGE to an image with PostgreSQL, pgbouncer and node');
  console.log(`namespace ${namespace}${rehearsal ? ' on a rehearsal cluster' : ''}`);
  try {
    const plan = await prepare(rehearsal);
    const before = await specs();
    if (as) {
      await check(`the printed Role is taken by the cluster, for ${as}`, async () => {
        const role = await wizard('rbac', '--plan', plan, '--user', as, '-o', 'yaml');
        if (role.code !== 0) throw new Error(role.stderr);
        await kubectl('apply', '-f', '-', { input: role.stdout });
        const admin = await run('kubectl', ['auth', 'can-i', 'delete', 'deployments', '-n', namespace, '--as', as]);
        if (admin.code === 0) throw new Error(`${as} may do more than the Role says: nothing would be proved`);
      });
    }
    await check('a paused workload stops the preflight, with its reason', async () => {
      const envelope = envelopeOf(await operator('preflight', '--plan', plan), 5);
      const { cause } = envelope.steps.find((step) => step.id === 'preflight');
      if (!/paused: It is paused/.test(cause)) throw new Error(`another cause: ${cause}`);
    });
    await check('init writes a plan of what it finds', async () => {
      const done = await wizard('init', '--to', join(home, 'found.yaml'), '-o', 'json');
      if (done.code !== 0) throw new Error(done.stderr);
      const { services } = JSON.parse(done.stdout);
      if (services < SERVICES.length) throw new Error(`${services} of ${SERVICES.length} services found`);
    });
    await check('all that can move moves', async () => {
      const flags = ['--no-input', '--on-blocked', 'skip', '--on-inconclusive', 'accept'];
      const envelope = envelopeOf(await operator('run', '--plan', plan, ...flags), 0);
      for (const { name, end } of SERVICES) {
        const state = envelope.services.find((one) => one.name === name)?.state;
        if (state !== end) throw new Error(`${name} is ${state} instead of ${end}`);
      }
    });
    await check('everything goes back, to the byte', async () => {
      envelopeOf(await operator('rollback', '--all', '--no-input'), 6);
      same(before, await specs());
    });
  } finally {
    await kubectl('delete', 'namespace', namespace, '--wait=false').catch((error) => console.log(error.message));
    rmSync(home, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  failed++;
  console.log(`FAIL  ${error.message}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
