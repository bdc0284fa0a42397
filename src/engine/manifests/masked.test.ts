import { expect, test } from 'vitest';
import { parseFile } from './documents.ts';
import { maskedText, shownValue } from './masked.ts';

const masked = (text: string): string => maskedText(parseFile(text)!);

test('a password in an address is dots, whatever is in it; the address stays', () => {
  expect(shownValue('postgres://u:p@ss/w#rd@postgres:5432/nova')).not.toMatch(/p@|ss\/|w#rd/);
  expect(shownValue('exec app --db postgres://u:one@two@postgres/nova -v')).toBe(
    'exec app --db postgres://u:•••@postgres/nova -v',
  );
  expect(shownValue('postgres:5432')).toBe('postgres:5432');
});

test('literals of variables are dots unless they are a host or a port by name and by look', () => {
  const text = `env:
- {name: DB_HOST, value: postgres.nova.svc}
- {name: PGPORT_PORT, value: "5432"}
- {name: REPORT_TOKEN, value: abcdef0123}
- {name: SUPPORT_KEY, value: 'abcdef0123'}
- name: DB_PORT
  value: not-a-port
`;
  expect(masked(text)).toBe(`env:
- {name: DB_HOST, value: postgres.nova.svc}
- {name: PGPORT_PORT, value: "5432"}
- {name: REPORT_TOKEN, value: •••}
- {name: SUPPORT_KEY, value: '•••'}
- name: DB_PORT
  value: •••
`);
});

test.each([
  ['a Secret', 'kind: Secret\ndata: {a: aGlkZGVuLXdvcmQ=}\nstringData:\n  b: hidden-word\n', ['aGlkZGVuLXdvcmQ=']],
  ['a Secret of several lines', 'kind: Secret\nstringData:\n  b: |\n    hidden-word\n    hidden-word\n', []],
  ['a Secret in a List', 'kind: List\nitems:\n- kind: Secret\n  stringData: {b: hidden-word}\n', []],
  ['a key that says what it is', 'spec:\n  adminPassword: hidden-word\n  api_token: "hidden-word"\n', []],
  ['a key with a number', 'spec:\n  adminPassword: 8675309\n  db_pwd: hidden-word\n', ['8675309']],
  ['the argument behind a flag', 'args: [--admin-password, hidden-word]\n', []],
  ['an argument with its flag', 'args:\n- --token=hidden-word\n- --api-key hidden-word\n', []],
  ['a script', 'args:\n- |\n  export PGPASSWORD=hidden-word\n  psql postgres://u:hidden-word@h/d\n', []],
  [
    'a file in a ConfigMap',
    'kind: ConfigMap\ndata:\n  a.yaml: |\n    auth:\n      token: hidden-word\n    db.secret=hidden-word\n',
    [],
  ],
  ['a comment', '# was postgres://u:hidden-word@postgres/nova\na: 1\n', []],
  [
    'what kubectl applied last',
    `metadata:\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      {"env":[{"name":"X","value":"hidden-word"}]}\n`,
    [],
  ],
])('%s shows nothing, and keeps its lines', (_, text, more) => {
  const shown = masked(text);
  for (const word of ['hidden-word', ...more]) expect(shown).not.toContain(word);
  expect(shown.split('\n').length).toBe(text.split('\n').length);
});

test('what is no credential stays as it is', () => {
  const text = `metadata: {name: auth, labels: {tier: secret-stuff}}
spec:
  automountServiceAccountToken: false
  volumes: [{name: v, secret: {secretName: tls, items: [{key: password, path: p}]}}]
`;
  expect(masked(text)).toBe(text);
});
