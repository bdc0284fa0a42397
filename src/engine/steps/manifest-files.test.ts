/** What a run remembers of the files beside it: which it wrote, whose they are, and how somebody else leads them back. */
import { expect, test } from 'vitest';
import type { WorkloadChange } from '../kube/workload-types.ts';
import type { ManifestPlan } from '../manifests/types.ts';
import type { JsonValue } from '../run/model.ts';
import { manifestEvidence, manifestsBack, writePlanned } from './manifest-files.ts';
import type { StepContext } from './types.ts';

const DIR = "/srv/it's here";
const change = { ref: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'auth' } } as unknown as WorkloadChange;
const plan = (files: readonly string[]): ManifestPlan => ({
  dir: DIR,
  root: DIR,
  direction: 'forward',
  workloads: [],
  files: files.map((path) => ({
    path,
    before: '',
    after: '',
    digests: { before: `${path}-old-`.repeat(4), after: `${path}-new-`.repeat(4) },
    diff: [],
    workloads: ['deployment/auth'],
  })),
  secrets: [],
  mentions: [],
  charts: [],
  skipped: [],
});

/** A session of a run that may write files or not, with the facts of the one before. */
function session(write: boolean, facts: Record<string, JsonValue> = {}) {
  const said: string[] = [];
  const seen: string[] = [];
  const ctx = {
    runId: '7f3a1b2c',
    manifests: { dir: DIR, write },
    state: () => ({ facts }),
    fact: (key: string, value: JsonValue) => {
      facts[key] = value;
    },
    message: (_level: string, text: string) => said.push(text),
    evidence: (one: { check: string; observed: string }) => seen.push(`${one.check}: ${one.observed}`),
  } as unknown as StepContext;
  return { ctx, facts, said, seen };
}

/** As a session leaves them that has written `a.yaml` and was cut before its step was over. */
const written = (): Record<string, JsonValue> => {
  const { ctx, facts } = session(false);
  writePlanned(ctx, plan(['a.yaml']));
  const text = JSON.stringify(facts.manifests).replaceAll('"written":false', '"written":true');
  return { manifests: JSON.parse(text) as JsonValue };
};

test('what a cut session wrote stays written, also for one that writes nothing', () => {
  const { ctx, facts, seen } = session(false, written());
  writePlanned(ctx, plan(['b.yaml']));
  manifestEvidence(ctx);
  expect(seen).toEqual([
    'manifest a.yaml: sha256 a.yaml-old-a became a.yaml-new-a',
    'manifest b.yaml: sha256 b.yaml-old-b would become b.yaml-new-b; it was not written',
    expect.stringMatching(/^manifest files: 2 files in .*: 1 written; commit them, 1 would be changed; not written$/),
  ]);
  expect(facts.manifests).toMatchObject({ services: ['deployment/auth'] });
});

test('whoever may not write is told how, in words that a shell takes', async () => {
  const { ctx, said } = session(false, written());
  await manifestsBack(ctx, change);
  expect(said).toEqual([
    expect.stringContaining(
      "pgb-wizard manifests --dir '/srv/it'\\''s here' --run 7f3a1b2c --service auth --revert --write",
    ),
  ]);
});

test('nothing is said of files that nobody wrote', async () => {
  const { ctx, said, facts } = session(false);
  writePlanned(ctx, plan(['a.yaml']));
  await manifestsBack(ctx, change);
  expect(said).toEqual([]);
  expect(facts.manifests).toMatchObject({ files: [{ path: 'a.yaml', written: false }] });
});
