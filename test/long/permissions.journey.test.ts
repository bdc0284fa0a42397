/**
 * The Role that `pgb-wizard rbac` prints is enough for the whole guide and the whole way back, holds nothing that they do not
 * use, and the lack of any of its rules is told before anything is changed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { covers } from '../../src/rehearsal/api/rbac.ts';
import { type Cluster, startCluster } from '../../src/rehearsal/cluster.ts';
import type { Json, KubeObject } from '../../src/rehearsal/contract.ts';
import { openSteps, type Ran, runWizard } from '../wizard-process.ts';

const RBAC = 'rbac.authorization.k8s.io';
const GUIDE = ['--time-scale', '600', '--no-input'];

/** Standard output of a command that prints no envelope. */
function textOf(home: string, kubeconfig: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ['bin/pgb-wizard.js', ...args], {
    env: { ...process.env, HOME: home, PGB_WIZARD_HOME: home, KUBECONFIG: kubeconfig, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
}

/** A cluster, and wizards on it as users who hold nothing but what a test gives them. */
class Place {
  readonly home = mkdtempSync(join(tmpdir(), 'pgbw-permissions-'));
  /** What was asked for and refused, and what was allowed, since the last `forget`. */
  readonly refused = new Set<string>();
  readonly judged: { user: string; wanted: Parameters<typeof covers>[1] }[] = [];
  readonly cluster: Cluster;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    cluster.api.observeAccess(({ who, wanted, allowed }) => {
      this.judged.push({ user: who.name, wanted });
      if (!allowed) this.refused.add(`${who.name}: ${wanted.verb} ${wanted.resource} ${wanted.name ?? ''}`);
    });
  }

  wizard(...args: string[]): Promise<Ran> {
    return runWizard(this.home, this.cluster.kubeconfigPath, args);
  }

  async role(...args: string[]): Promise<Json[]> {
    const text = await textOf(this.home, this.cluster.kubeconfigPath, ['rbac', '-o', 'yaml', ...args]);
    return (parseAllDocuments(text) as { toJS(): Json }[]).map((document) => document.toJS());
  }

  create(object: KubeObject): void {
    this.cluster.store.create(`${object.kind.toLowerCase()}s.${RBAC}`, object);
  }

  /** A user with these rules in the namespace. */
  grant(user: string, rules: Json[]): void {
    const metadata = { name: user, namespace: 'nova' };
    const subjects = [{ kind: 'User', name: user }];
    this.create({ apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules });
    const roleRef = { kind: 'Role', name: user };
    this.create({ apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects });
  }

  async close(): Promise<void> {
    await this.cluster.close();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Each right of a rule by itself. */
const rightsOf = (rule: Json): { verb: string; group: string; resource: string; name?: string }[] =>
  rule.verbs.flatMap((verb: string) =>
    rule.apiGroups.flatMap((group: string) =>
      rule.resources.flatMap((resource: string) =>
        (rule.resourceNames ?? [undefined]).map((name?: string) => ({ verb, group, resource, name })),
      ),
    ),
  );

const textOfRight = ({ verb, group, resource, name }: ReturnType<typeof rightsOf>[number]) => {
  const [plural, subresource] = resource.split('/');
  return `${verb} ${plural}${group === '' ? '' : `.${group}`}${subresource ? `/${subresource}` : ''}${name ? ` ${name}` : ''}`;
};

describe('the whole guide with nothing but the printed Role', () => {
  /** Rights that a run without trouble has no use for. */
  const FOR_TROUBLE = [
    // A second run replaces the userlist; the doctor mends it.
    'patch secrets pgbouncer-userlist',
    'update secrets pgbouncer-userlist',
  ];
  let place: Place;
  let rules: Json[];
  beforeAll(async () => {
    place = new Place(await startCluster({ pace: 20 }));
  }, 150_000);
  afterAll(() => place?.close());

  test('the run and the way back are refused nothing', async () => {
    const [role, binding] = await place.role('--user', 'alice');
    rules = role.rules;
    expect(binding.subjects).toEqual([{ apiGroup: RBAC, kind: 'User', name: 'alice' }]);
    place.create(role);
    place.create(binding);
    const ran = await place.wizard('run', '--as', 'alice', ...GUIDE);
    expect([ran.code, openSteps(ran), [...place.refused]]).toEqual([0, '', []]);
    const back = await place.wizard('rollback', '--all', '--no-input', '--as', 'alice');
    expect([back.code, openSteps(back), [...place.refused]]).toEqual([6, '', []]);
  });

  test('every right of the Role was used, but those for trouble', () => {
    const asked = place.judged.filter(({ user }) => user === 'alice').map(({ wanted }) => wanted);
    const unused = rules.flatMap(rightsOf).filter((right) => {
      const rule = {
        verbs: [right.verb],
        apiGroups: [right.group],
        resources: [right.resource],
        ...(right.name === undefined ? {} : { resourceNames: [right.name] }),
      };
      return !asked.some((wanted) => covers(rule, wanted));
    });
    expect(unused.map(textOfRight).sort()).toEqual(FOR_TROUBLE);
  });

  test('it may read, change and delete no other Secret than its own, but read', () => {
    const secrets = rules.filter((rule) => rule.resources.includes('secrets'));
    const broad = secrets.filter((rule) => rule.resourceNames === undefined).flatMap((rule) => rule.verbs);
    expect(broad.sort()).toEqual(['create', 'get']);
  });
});

describe('a Role for one run, and what is missing from it', () => {
  const RUN = '4c1d9e02';
  let place: Place;
  let rules: Json[];
  const plan = () => ['--plan', join(place.home, 'plan.json')];
  /** Everything but what a lock leaves. */
  const written = () =>
    JSON.stringify(
      ['deployments.apps', 'secrets', 'configmaps', 'services', 'jobs.batch', 'poddisruptionbudgets.policy'].map((of) =>
        place.cluster.store.list(of, 'nova').map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
      ),
    );

  beforeAll(async () => {
    // The second service takes its address from a Secret.
    place = new Place(await startCluster({ services: 4, pace: 20 }));
    const services = place.cluster.services.map((one) => ({ name: one.name }));
    writeFileSync(
      join(place.home, 'plan.json'),
      JSON.stringify({
        apiVersion: 'pgb-wizard/v1',
        kind: 'MigrationPlan',
        name: 'small',
        namespace: 'nova',
        pooler: { image: 'pgbouncer:rehearsal', exporterImage: 'pgbouncer-exporter:rehearsal' },
        baseline: { seconds: 2 },
        observe: { every: '10s', for: '10s' },
        phases: [{ id: 'p2', title: 'All', services }],
      }),
    );
    [{ rules }] = (await place.role('--run-id', RUN, ...plan())) as [Json];
  }, 150_000);
  afterAll(() => place?.close());

  test('without any one rule, preflight names what is missing and where a run would stop, and the run stops before it changes anything', async () => {
    const before = written();
    for (const [index, rule] of rules.entries()) {
      // What `cleanup` deletes is nothing a run needs.
      const lost = rightsOf(rule)
        .filter(({ verb, name }) => !(verb === 'delete' && name?.includes(RUN)))
        .map(textOfRight);
      if (lost.length === 0) continue;
      const user = `without-${index}`;
      place.grant(
        user,
        rules.filter((one) => one !== rule),
      );
      const ran = await place.wizard(
        'run',
        '--as',
        user,
        '--run-id',
        RUN,
        '--no-input',
        '--stop-after',
        'preflight',
        ...plan(),
      );
      rmSync(join(place.home, 'runs', RUN), { recursive: true, force: true });
      // Without the lock's rights a run does not come as far as its preflight.
      const locked = ran.envelope.steps === undefined;
      const seen = locked ? await place.wizard('preflight', '--as', user, '--run-id', RUN, ...plan()) : ran;
      const step = seen.envelope.steps.find((one: Json) => one.id === 'preflight');
      const evidence = step.evidence.find((one: Json) => one.check === 'permissions');
      const rows: Json[] = evidence.data.permissions;
      const missing = rows.filter((row) => row.allowed === false);
      expect(missing.map((row) => row.permission).sort()).toEqual(lost.sort());
      const needed = missing.filter((row) => !row.optional);
      for (const { permission, neededBy } of needed.slice(0, 6))
        expect(evidence.observed).toContain(`${permission} (will fail at ${neededBy})`);
      if (needed.length === 0) {
        // Less is seen, and the run goes on.
        expect([user, ran.code]).toEqual([user, 3]);
        expect(evidence.observed).toContain('it goes on without: ');
        continue;
      }
      expect([user, ran.code, seen.code]).toEqual([user, 4, 4]);
      expect(ran.stderr).toMatch(/error: .+\n {2}why {3}.+\n {2}next {2}.*pgb-wizard rbac/s);
    }
    expect(written()).toBe(before);
  });

  test('somebody who may only look gets the table, and a run that says what, why and what next', async () => {
    const before = written();
    const metadata = { name: 'viewer', namespace: 'nova' };
    const roleRef = { kind: 'ClusterRole', name: 'view' };
    const subjects = [{ kind: 'User', name: 'viewer' }];
    place.create({ apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects });
    const table = await textOf(place.home, place.cluster.kubeconfigPath, ['preflight', '--as', 'viewer', ...plan()]);
    expect(table).toMatch(/PERMISSION +ALLOWED +NEEDED BY/);
    expect(table).toMatch(/patch deployments\.apps identity-service +NO +will fail at p2\.identity-service\.migrate/);
    expect(table).toMatch(/list pods +yes/);
    const ran = await place.wizard('run', '--as', 'viewer', '--no-input', ...plan());
    expect(ran.code).toBe(4);
    expect(ran.stderr).toMatch(
      /error: the cluster refuses to .+\n {2}why {3}.*User "viewer" cannot .+\n {2}next {2}.*pgb-wizard rbac/,
    );
    expect(written()).toBe(before);
  });

  test('with all of them the run is refused nothing, and names every Secret that it reads or deletes', async () => {
    const secrets = rules.filter((rule) => rule.resources.includes('secrets') && rule.resourceNames === undefined);
    expect(secrets.flatMap((rule) => rule.verbs)).toEqual(['create']);
    place.grant('bob', rules);
    place.refused.clear();
    const ran = await place.wizard('run', '--as', 'bob', '--run-id', RUN, ...plan(), ...GUIDE);
    expect([ran.code, openSteps(ran), [...place.refused]]).toEqual([0, '', []]);
    expect(ran.envelope.runId).toBe(RUN);
    const back = await place.wizard('rollback', '--all', '--no-input', '--as', 'bob');
    expect([back.code, openSteps(back), [...place.refused]]).toEqual([6, '', []]);
    const clean = await place.wizard('cleanup', '--run', RUN, '--no-input', '--as', 'bob', ...plan());
    expect([clean.code, [...place.refused]]).toEqual([0, []]);
  });
});
