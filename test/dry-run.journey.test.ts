/** `run --dry-run` through the built program: the whole plan is looked at, every change is shown, and nothing is written. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../src/rehearsal/cluster.ts';
import type { Json } from '../src/rehearsal/contract.ts';
import { openSteps, runWizard } from './wizard-process.ts';

const PASSWORD = 'never-shown-9';
const home = mkdtempSync(join(tmpdir(), 'pgbw-dry-'));
const writes: { method: string; url: string }[] = [];
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ password: PASSWORD, pace: 20 });
  await cluster.ready();
  cluster.api.observe(({ method, url, userAgent }) => {
    if (method !== 'GET' && userAgent?.startsWith('pgb-wizard')) writes.push({ method, url });
  });
});

afterAll(async () => {
  await cluster?.close();
  rmSync(home, { recursive: true, force: true });
});

const objects = () =>
  ['secrets', 'configmaps', 'deployments.apps', 'services', 'leases.coordination.k8s.io'].map((plural) =>
    cluster.store.list(plural, 'nova').map((one: Json) => `${one.metadata.name} ${one.metadata.uid}`),
  );

test.each(['client', 'server'] as const)('--dry-run=%s shows every change and makes none', async (kind) => {
  writes.length = 0;
  const before = objects();
  const ran = await runWizard(home, cluster.kubeconfigPath, ['run', '--no-input', `--dry-run=${kind}`]);

  expect(openSteps(ran)).toBe('');
  expect(ran).toMatchObject({ code: 0, envelope: { outcome: 'done', dryRun: true } });
  const preflight = ran.envelope.steps.find((one: Json) => one.id === 'preflight');
  expect(preflight.evidence.find((one: Json) => one.check === 'permissions')).toMatchObject({ verdict: 'pass' });
  expect(ran.stderr).not.toContain('parked');
  expect(ran.envelope.previews.map((one: Json) => one.step)).toEqual(['p1.secret', 'p1.deploy', 'p1.prepare']);
  const shown = JSON.stringify(ran.envelope.previews);
  for (const service of ['identity-service', 'graphql-gateway', 'video-service']) {
    expect(shown).toContain(`kubectl patch deployment/${service}`);
  }
  expect(JSON.stringify(ran)).not.toContain(PASSWORD);
  expect(ran.envelope.services.every((one: Json) => one.state === 'direct')).toBe(true);
  expect(objects()).toEqual(before);
  // Reviews ask and change nothing; with `client` they are all that is sent.
  const sent = writes.filter(({ url }) => !/reviews(\?|$)/.test(url));
  if (kind === 'client') expect(sent).toEqual([]);
  else {
    expect(sent.length).toBeGreaterThan(3);
    expect(sent.filter(({ url }) => !url.includes('dryRun=All'))).toEqual([]);
  }
});
