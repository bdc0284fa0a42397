import { expect, test } from 'vitest';
import type { ManifestPlan } from '../engine/manifests/types.ts';
import { manifestsText } from './manifests.ts';

test('names of files and charts act on no terminal', () => {
  const path = 'chart\u001B[2J/auth\u202E.yaml';
  const plan: ManifestPlan = {
    dir: '.',
    root: '/',
    direction: 'forward',
    workloads: [{ id: 'deployment/auth', state: 'change', places: [{ path, line: 3 }], detail: 'x', next: [] }],
    files: [
      { path, before: '', after: '', digests: { before: '', after: '' }, diff: [], git: 'modified', workloads: [] },
    ],
    secrets: [],
    mentions: [{ path, line: 1, what: 'values', shown: 'postgres', helm: true }],
    charts: ['chart\u001B[2J'],
    skipped: [{ path, reason: 'binary' }],
  };
  const text = manifestsText(plan, { auth: 'why\u001B[2J' });
  expect(text).not.toMatch(/[\u001B\u202E]/);
  expect(text).toContain('chart/auth.yaml has other changes that are not committed.');
});
