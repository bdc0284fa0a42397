import { expect, test } from 'vitest';
import { Builds } from './kustomize.ts';

const rootsOf = (files: Readonly<Record<string, string>>, path: string) =>
  new Builds(Object.entries(files).map(([at, text]) => ({ path: at, text }))).rootsOf(path);

test.each([
  ['resources: [../../base]', 'kustomization.yaml'],
  ['resources: [../../base/]', 'kustomization.yaml'],
  ['resources: [./../../base/./]', 'kustomization.yml'],
  ['bases:\n- ../../base', 'Kustomization'],
  ['components: [../../base]', 'kustomization.yaml'],
])('a base that two overlays take in as %s ends up in both', (text, name) => {
  const files = {
    [`base/${name}`]: 'resources: [auth.yaml]\n',
    [`overlays/prod/${name}`]: text,
    [`overlays/staging/${name}`]: text,
  };
  expect(rootsOf(files, 'base/auth.yaml')).toEqual(['overlays/prod', 'overlays/staging']);
});

test('what nothing takes in, and what is far away, is nobody’s', () => {
  const files = {
    'kustomization.yaml': 'resources: [a.yaml, https://example.com/x.yaml]\npatches: [{patch: "- op: x"}]',
  };
  expect(rootsOf(files, 'b.yaml')).toEqual([]);
  expect(rootsOf(files, 'a.yaml')).toEqual(['.']);
});
