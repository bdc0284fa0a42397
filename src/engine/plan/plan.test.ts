import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, hashOf } from './canonical.ts';
import { checkPlanAgainst } from './check.ts';
import { diffPlans } from './diff.ts';
import { durationMs, formatDuration, parseDuration } from './duration.ts';
import { planJsonSchemaText } from './json-schema.ts';
import { loadedPlan, loadPlan, planFromJournal } from './load.ts';
import { loginsOf, loginText, rolesByDatabase, rolesOf } from './logins.ts';
import { NOVA_PLAN } from './nova.ts';
import { parsePlan } from './parse.ts';
import { didYouMean } from './suggest.ts';

const nova = loadedPlan(NOVA_PLAN, 'built-in nova').plan;
const errorsOf = (text: string) => {
  const parsed = parsePlan(text, 'plan.yaml');
  return parsed.ok ? 'no errors' : String(parsed.error.details?.errors ?? parsed.error.message);
};
const head = 'apiVersion: pgb-wizard/v1\nkind: MigrationPlan\nname: shop\n';
const phases = 'phases:\n  - id: p2\n    title: Pilot\n    services: [{ name: cart }]\n';

test("the built-in plan is the guide's: 16 services, feed first and graphql-gateway last in phase 4", () => {
  const names = nova.phases.map((phase) => phase.services.map((service) => service.name));
  expect(names[0]).toEqual(['identity-service', 'notification-service', 'cdn-service']);
  expect(names[1]).toEqual(['auth-service', 'messaging-service', 'events-service', 'communication-service']);
  expect(names[2]?.[0]).toBe('feed-service');
  expect(names[2]?.at(-1)).toBe('graphql-gateway');
  expect(names.flat()).toHaveLength(16);
  expect(nova.phases[2]?.services.filter((service) => service.batch === 'remaining')).toHaveLength(7);
});

test("limits of the built-in plan are the guide's", () => {
  expect(nova.phases.map((phase) => phase.soak)).toEqual(['30m', '4h', undefined]);
  expect(nova.observe).toEqual({ every: '30s', for: '5m' });
  expect(nova.gates).toMatchObject({
    clientsWaiting: 0,
    serversActive: 40,
    queryTimeMs: 5000,
    responseTimeWithin: 10,
    errorRate: 0,
    pgConnectionsWithin: 2,
  });
  const timeouts = Object.fromEntries(
    nova.phases.flatMap((phase) => phase.services.map((s) => [s.name, s.rolloutTimeout])),
  );
  expect(timeouts).toMatchObject({
    'feed-service': '10m',
    'graphql-gateway': '10m',
    'auth-service': '5m',
    'media-service': '5m',
  });
});

test('a plan file may be short: all the rest has defaults', () => {
  const parsed = parsePlan(head + phases, 'plan.yaml');
  expect(parsed.ok && parsed.value.pooler.userlistSecret).toBe('pgbouncer-userlist');
  expect(parsed.ok && parsed.value.phases[0]?.services[0]?.health).toEqual({ enabled: true, loadBalancer: false });
});

test('comments, order and spelled-out defaults do not change the hash; a limit does', () => {
  const hash = (text: string) => {
    const parsed = parsePlan(text, 'plan.yaml');
    return parsed.ok ? hashOf(parsed.value) : parsed.error.message;
  };
  expect(hash(`# a comment\n${phases}${head}env: DATABASE_URL\n`)).toBe(hash(head + phases));
  expect(hash(`${head}${phases}gates: { serversActive: 41 }\n`)).not.toBe(hash(head + phases));
});

test('a misspelt key is named with its place and the key that was meant', () => {
  expect(errorsOf(`${head}namespce: nova\n${phases}`)).toBe(
    'plan.yaml:4:1: unknown key namespce, did you mean namespace?',
  );
  expect(errorsOf(`${head}${phases}pooler:\n  replica: 2\n`)).toContain(
    'plan.yaml:9:3: unknown key pooler.replica, did you mean replicas?',
  );
  expect(errorsOf(head + phases.replace('{ name: cart }', '{ name: cart, rolloutTimout: 5m }'))).toContain(
    'did you mean rolloutTimeout?',
  );
});

test('a wrong value is named with its place and what it must be', () => {
  expect(errorsOf(`${head}${phases}observe: { every: 30 seconds }\n`)).toMatch(
    /^plan\.yaml:8:19: observe\.every: a duration is written like .*, not "30 seconds"$/,
  );
  expect(errorsOf(head + phases.replace('cart', 'cart, kind: deployment'))).toContain('did you mean Deployment?');
  expect(errorsOf(`${head}${phases}postgres: { port: 99999 }\n`)).toContain('plan.yaml:8:19: postgres.port');
});

test.each([
  ['', 'is empty'],
  ['a\0b', 'not a text file'],
  ['- 1', 'expected object'],
  ['a: [', 'plan.yaml:1:'],
  [`${head}name: twice\n${phases}`, 'plan.yaml:4:1'],
  [`${head}${phases}---\nb: 2\n`, 'more than one document'],
  ['name: &a [*a]\n', 'name'],
  [`${head}${phases}window: { start: 2026-03-14T22:00:00Z, end: 2026-03-14T20:00:00Z }`, 'ends before it starts'],
  [head + phases.replace('{ name: cart }', '{ name: cart }, { name: cart }'), 'listed twice'],
  [head + phases.replace('{ name: cart }', '{ name: cart, batch: b }'), 'batch b is not in'],
  [`${head}${phases}  - id: p2\n    title: Again\n    services: [{ name: till }]\n`, 'must come after p2'],
  [`${head}${phases.replace('cart', '"cart; rm -rf ."')}`, 'lower-case letters'],
])('a broken plan %# is refused with a reason', (text, reason) => {
  expect(errorsOf(text)).toContain(reason);
});

test('labels by which the wizard finds its own objects are not the plan’s to give', () => {
  const withLabel = (label: string) =>
    parsePlan(
      `apiVersion: pgb-wizard/v1\nkind: MigrationPlan\nname: x\npooler: {labels: {${label}}}\nphases: [{id: p2, title: A, services: [{name: a}]}]\n`,
      'plan.yaml',
    );
  expect(withLabel('example.com/team: payments').ok).toBe(true);
  for (const wrong of ['app: x', 'team: two words', 'bad key: x']) expect(withLabel(wrong).ok).toBe(false);
});

test('any text gives a plan or an error, never an exception', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.string().map((s) => head + phases + s),
      ),
      (text) => typeof parsePlan(text, 'x').ok === 'boolean',
    ),
    { numRuns: 300 },
  );
});

test('a plan file that is not there, or is no text, is a plain error', async () => {
  const missing = await loadPlan('/nonexistent/plan.yaml');
  expect(missing.ok ? '' : `${missing.error.code}: ${missing.error.message}`).toBe(
    'plan-invalid: plan /nonexistent/plan.yaml cannot be read: no such file',
  );
  const dir = mkdtempSync(join(tmpdir(), 'pgbw-plan-'));
  writeFileSync(join(dir, 'bin.yaml'), Buffer.from([0, 255, 254, 1, 2]));
  expect((await loadPlan(join(dir, 'bin.yaml'))).ok).toBe(false);
  expect((await loadPlan(dir)).ok).toBe(false);
});

test('a plan comes back from the journal only with its own hash', () => {
  const { plan, hash } = loadedPlan(NOVA_PLAN, 'x');
  expect(planFromJournal(JSON.parse(JSON.stringify(plan)), hash).ok).toBe(true);
  const other = planFromJournal({ ...plan, env: 'OTHER' }, hash);
  expect(other.ok ? '' : other.error.code).toBe('plan-mismatch');
});

test('a service the cluster does not have is named, with the workload that was meant', () => {
  const there = nova.phases.flatMap((phase) => phase.services.map((service) => service.name));
  expect(checkPlanAgainst(nova, there).ok).toBe(true);
  const result = checkPlanAgainst(nova, [...there.filter((name) => name !== 'feed-service'), 'feeds-service']);
  expect(result.ok ? '' : result.error.message).toBe(
    'feed-service (phase p4) is not in namespace nova, did you mean feeds-service?',
  );
});

test('two plans differ field by field, services by name', () => {
  const other = structuredClone(nova);
  other.phases[1]!.services[0]!.rolloutTimeout = '9m';
  other.phases[0]!.services.pop();
  expect(diffPlans(nova, nova)).toEqual([]);
  expect(diffPlans(nova, other).map((d) => d.path)).toEqual([
    'phases.p2.services.cdn-service',
    'phases.p3.services.auth-service.rolloutTimeout',
  ]);
});

test('moving a service is a difference too', () => {
  const other = structuredClone(nova);
  other.phases[0]!.services.reverse();
  expect(diffPlans(nova, other).map((d) => d.path)).toEqual(['phases.p2.services.(order)']);
});

test('durations read and write', () => {
  expect([durationMs('30s'), durationMs('1h30m'), durationMs('4h'), durationMs('250ms'), durationMs('1.5m')]).toEqual([
    30_000, 5_400_000, 14_400_000, 250, 90_000,
  ]);
  expect([parseDuration(''), parseDuration('5'), parseDuration('-5m'), parseDuration('5 m')]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (ms) => parseDuration(formatDuration(ms)) === ms));
});

test('canonical JSON has one spelling for one value, and reads back', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(JSON.parse(text))).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
      const reversed = Object.fromEntries(Object.entries(object).reverse());
      expect(canonicalJson(reversed)).toBe(canonicalJson(object));
    }),
  );
});

test('canonical JSON refuses what JSON cannot hold', () => {
  expect(() => canonicalJson(Number.NaN)).toThrow(TypeError);
  expect(() => canonicalJson({ a: 1n })).toThrow(TypeError);
  expect(canonicalJson({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
});

test('a near name is suggested, a far one is not', () => {
  expect(didYouMean('identiy-service', ['identity-service', 'auth-service'])).toBe('identity-service');
  expect(didYouMean('auhtservice', ['identity-service', 'auth-service'])).toBe('auth-service');
  expect(didYouMean('billing', ['identity-service', 'auth-service'])).toBeUndefined();
});

test('the published schema is the one the code has', () => {
  expect(readFileSync(new URL('../../../schema/plan.schema.json', import.meta.url), 'utf8')).toBe(planJsonSchemaText());
});

test('further logins are those of the plan’s own database unless they name another, each once', () => {
  const text = (also: string) => `${head}postgres:\n  also: ${also}\n${phases}`;
  const parsed = parsePlan(text('[{ role: reports_user }, { role: nova_user, database: billing }]'), 'plan.yaml');
  if (!parsed.ok) throw new Error(parsed.error.message);
  const { plan } = loadedPlan(parsed.value, 'a test');
  expect(loginsOf(plan).map(loginText)).toEqual(['nova_user in nova', 'reports_user in nova', 'nova_user in billing']);
  expect(rolesOf(plan)).toEqual(['nova_user', 'reports_user']);
  expect([...rolesByDatabase(plan)]).toEqual([
    ['nova', ['nova_user', 'reports_user']],
    ['billing', ['nova_user']],
  ]);
  expect(errorsOf(text('[{ role: nova_user, database: nova }]'))).toMatch(
    /nova_user is listed twice for that database/,
  );
});

test('a mode that verifies needs the authority; manifests of the operator’s own say themselves what TLS is', () => {
  const text = (pooler: string) => `${head}pooler: ${pooler}\n${phases}`;
  expect(errorsOf(text('{ tls: { server: { mode: verify-full } } }'))).toMatch(/needs the certificate authority/);
  expect(errorsOf(text('{ tls: { server: { mode: verify-full, ca: { name: postgres-ca } } } }'))).toBe('no errors');
  expect(errorsOf(text('{ manifests: ./k8s, tls: { client: { secret: x } } }'))).toMatch(/what those manifests say/);
});
