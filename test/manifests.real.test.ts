/**
 * Edited files through a real kustomize: what it builds of base and overlay after the edit is what the live patch makes of
 * what it built before.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { canonicalJson } from '../src/engine/kube/fingerprint.ts';
import type { Json } from '../src/engine/kube/types.ts';
import { planManifests } from '../src/engine/manifests/plan.ts';
import {
  changeOf,
  folderOf,
  livesIn,
  NAMESPACE,
  patched,
  sourcesOf,
  TARGET,
  TO,
} from '../src/engine/manifests/testing/changes.ts';
import { writeManifests } from '../src/engine/manifests/write.ts';

const noKubectl = spawnSync('kubectl', ['version', '--client']).status !== 0;

const BASE = `# the team's own
apiVersion: apps/v1
kind: Deployment
metadata:
  name: auth
spec:
  selector:
    matchLabels: {app: auth}
  template:
    metadata:
      labels: {app: auth}
    spec:
      containers:
      - name: app
        image: auth
        env:
        - name: LEVEL
          value: debug
        - name: DATABASE_URL # development
          valueFrom: {secretKeyRef: {name: development, key: URL}}
        - name: OTHER_URL
          value: postgres://dev@localhost/dev
        - {name: DB_HOST, value: postgres}
        - {name: DB_PORT, value: "5432"}
        envFrom:
        - configMapRef: {name: settings}
`;
const OVERLAY = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: auth
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: app
        env:
        - name: DATABASE_URL
          valueFrom: {secretKeyRef: {name: db, key: URL}}
        - name: OTHER_URL
          value: postgres://other@postgres/nova
`;
const KUSTOMIZATION = `namespace: ${NAMESPACE}
resources: [../../base]
patches: [{path: auth.yaml}]
images: [{name: auth, newTag: "7"}]
`;

const sources = sourcesOf(
  { db: { URL: 'postgres://u:of-secret@postgres/nova' } },
  { settings: { REPORT_URL: 'postgres://reports@postgres:5432/nova' } },
);

describe.skipIf(noKubectl)('kustomize', () => {
  const build = (dir: string): string =>
    execFileSync('kubectl', ['kustomize', join(dir, 'overlays', 'prod')], { encoding: 'utf8' });
  const values = (text: string): Json[] =>
    (parseAllDocuments(text) as { toJS(): Json }[]).map((document) => document.toJS());

  test('builds of the edited base and overlay what the live patch makes of the object; and the original on the way back', async () => {
    const dir = folderOf({
      'base/auth.yaml': BASE,
      'base/kustomization.yaml': 'resources: [auth.yaml]\n',
      'overlays/prod/auth.yaml': OVERLAY,
      'overlays/prod/kustomization.yaml': KUSTOMIZATION,
    });
    try {
      const before = build(dir);
      const changes = livesIn(before).map((live) => changeOf(live, sources));
      const request = { dir, namespace: NAMESPACE, changes, target: TARGET, to: TO };
      const there = await planManifests({ ...request, direction: 'forward' });
      if (!there.ok) throw new Error(there.error.message);
      expect(there.value.files.map((file) => file.path)).toEqual(['base/auth.yaml', 'overlays/prod/auth.yaml']);
      expect(writeManifests(there.value).ok).toBe(true);
      expect(canonicalJson(sorted(values(build(dir))))).toBe(canonicalJson(sorted(patched(before, changes))));
      const back = await planManifests({ ...request, direction: 'back' });
      if (!back.ok) throw new Error(back.error.message);
      expect(writeManifests(back.value).ok).toBe(true);
      expect(build(dir)).toBe(before);
      expect(back.value.files.map((file) => file.after)).toEqual([BASE, OVERLAY]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

/** The order of variables is kustomize's own: a merge puts those of the patch first. */
function sorted(objects: readonly Json[]): Json[] {
  const out = structuredClone(objects) as Json[];
  for (const object of out) {
    for (const container of object.spec?.template?.spec?.containers ?? []) {
      container.env?.sort((a: Json, b: Json) => (a.name < b.name ? -1 : 1));
    }
  }
  return out;
}
