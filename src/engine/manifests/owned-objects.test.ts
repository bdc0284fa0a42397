import { afterAll, describe, expect, test } from 'vitest';
import { parseFile } from './documents.ts';
import { folderOf, removeFolders, sourcesOf } from './testing/changes.ts';
import { changesOf, deployment, PASSWORD, planIn, states, URL } from './testing/plans.ts';

afterAll(removeFolders);

describe('Secrets and ConfigMaps', () => {
  test('a password leaves the file; the diff, the plan and the neighbours never show one', async () => {
    const text = deployment(
      `${PASSWORD}\n- name: API_KEY\n  value: do-not-show-me\n- name: DB_PASSWORD\n  value: nor-this-one`,
      'auth',
      '---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: not-this-either}\n',
    );
    const found = await planIn(folderOf({ 'auth.yaml': text }), changesOf(text));
    const shown = JSON.stringify({ ...found, files: found.files.map(({ before: _, after: __, ...rest }) => rest) });
    for (const word of ['in-the-file', 'do-not-show-me', 'nor-this-one', 'not-this-either']) {
      expect(shown).not.toContain(word);
    }
    expect(found.files[0]!.after).not.toContain('in-the-file');
    expect(found.files[0]!.after).toContain('do-not-show-me');
    expect(found.secrets.map((one) => `${one.name} ${one.keys}`)).toEqual(['auth-pgb-7f3a1b2c DATABASE_URL']);
  });

  test.each([
    ['ExternalSecret', 'metadata: {name: es}\nspec: {target: {name: db}}'],
    ['SealedSecret', 'metadata: {name: db}\nspec: {encryptedData: {URL: AgBy}}'],
    ['Secret', 'metadata: {name: db}\nsops: {version: 3.9.0}\nstringData: {URL: "ENC[AES256_GCM,data:x]"}'],
  ])('%s: what makes the old Secret is named, with its line', async (kind, rest) => {
    const text = deployment('- name: DATABASE_URL\n  valueFrom: {secretKeyRef: {name: db, key: URL}}');
    const sources = sourcesOf({ db: { URL: 'postgres://u:of-secret@postgres:5432/nova' } });
    const maker = `apiVersion: x/v1\nkind: ${kind}\n${rest}\n`;
    const found = await planIn(
      folderOf({ 'auth.yaml': text, 'secrets/postgres.yaml': maker }),
      changesOf(text, sources),
    );
    expect(found.secrets[0]!.maker).toMatchObject({ path: 'secrets/postgres.yaml', line: 1 });
    expect(found.secrets[0]!.next.join()).toContain(kind === 'Secret' ? 'SOPS Secret' : kind);
    expect(found.files[0]!.after).toBe(text.replace('name: db,', 'name: auth-pgb-7f3a1b2c,'));
  });

  test('a ConfigMap is written behind the document that refers to it, and taken out on the way back', async () => {
    const text = deployment('- name: DATABASE_URL\n  valueFrom:\n    configMapKeyRef: {name: db, key: URL}');
    const changes = changesOf(text, sourcesOf({}, { db: { URL: 'postgres://u@postgres:5432/nova' } }));
    const there = await planIn(folderOf({ 'auth.yaml': text }), changes);
    const documents = parseFile(there.files[0]!.after)!.values;
    expect(documents[1]).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'auth-pgb-7f3a1b2c' },
      data: { URL: 'postgres://u@pgbouncer:6432/nova' },
    });
    expect(documents[1].metadata.namespace).toBeUndefined();
    const back = await planIn(folderOf({ 'auth.yaml': there.files[0]!.after }), changes, 'back');
    expect(back.files[0]!.after).toBe(text);
  });
});

describe('a ConfigMap that goes into no file keeps its workload from being edited', () => {
  const MAP = '- name: DATABASE_URL\n  valueFrom:\n    configMapKeyRef: {name: db, key: URL}';

  test('because JSON holds one document', async () => {
    const text = JSON.stringify(parseFile(deployment(MAP))!.values[0], null, 2);
    const changes = changesOf(text, sourcesOf({}, { db: { URL: 'postgres://u@postgres:5432/nova' } }));
    const found = await planIn(folderOf({ 'auth.json': text }), changes);
    expect(found.workloads[0]).toMatchObject({ state: 'by-hand' });
    expect(found.workloads[0]!.detail).toContain("auth.json can't hold the new ConfigMap auth-pgb-7f3a1b2c");
    expect(found.files).toEqual([]);
  });

  test('because another key of the file that it copies holds a password', async () => {
    const text = deployment(URL, 'auth').replace(
      /env:[\s\S]*/,
      'volumeMounts: [{name: c, mountPath: /c}]\n      volumes: [{name: c, configMap: {name: conf}}]\n',
    );
    const conf = { url: 'postgres://u@postgres:5432/nova\n', other: 'postgres://u:in-the-map@elsewhere/nova\n' };
    const changes = changesOf(text, sourcesOf({}, { conf }));
    const found = await planIn(folderOf({ 'auth.yaml': text }), changes);
    expect(states(found)).toEqual(['deployment/auth by-hand']);
    expect(JSON.stringify(found)).not.toContain('in-the-map');
  });
});
