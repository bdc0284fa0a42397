import { expect, test } from 'vitest';
import { settingsIn } from './settings-in-text.ts';

/** `path=value` of each setting, after a look at what really stands at its place. */
function read(text: string): string[] {
  return settingsIn(text).map(({ path, value, start, end }) => {
    expect(text.slice(start, end)).toBe(value);
    return `${path}=${value}`;
  });
}

test('YAML, with quotes and remarks, several documents, lists', () => {
  expect(
    read(
      'server:\n  port: 8080\ndatabase: # the one\n  host: "postgres"   # here\n  port: 5432\n---\nreplicas:\n  - host: \'a\'\n',
    ),
  ).toEqual(['server.port=8080', 'database.host=postgres', 'database.port=5432', 'replicas.0.host=a']);
});

test('JSON, in one line too', () => {
  expect(read('{"db":{"host":"postgres","port":5432},"log":"info"}')).toEqual([
    'db.host=postgres',
    'db.port=5432',
    'log=info',
  ]);
  expect(read('{\n\t"db": {\n\t\t"host": "postgres"\n\t}\n}\n')).toEqual(['db.host=postgres']);
});

test('TOML and INI by their sections', () => {
  expect(
    read('title = "x"\n[database]\nhost = "postgres"\nport = 5432 # PostgreSQL\n[[more]]\nhost = \'b\'\r\n'),
  ).toEqual(['title=x', 'database.host=postgres', 'database.port=5432', 'more.host=b']);
});

test('properties and dotenv', () => {
  expect(
    read('# remark\ndb.host=postgres\ndb.port : 5432\nexport DB_HOST="postgres"\nDB_PASSWORD=a#b;c\nEMPTY=\n'),
  ).toEqual(['db.host=postgres', 'db.port=5432', 'DB_HOST=postgres', 'DB_PASSWORD=a#b;c', 'EMPTY=']);
});

test('settings of one mapping are one group, equal names of others are not', () => {
  const groups = settingsIn('a:\n  host: x\n  port: 1\nb:\n  host: x\n').map(({ group }) => group);
  expect(groups[0]).toBe(groups[1]);
  expect(groups[2]).not.toBe(groups[0]);
});

test('a text that is no YAML yet keeps its blocks apart by their indentation', () => {
  const text = '{{ if .x }}\nserver:\n  port: 5432\ndatabase:\n  host: postgres\n  port: 6000\n{{ end }}\n';
  const settings = settingsIn(text).filter(({ value }) => value !== '');
  expect(settings.map(({ key, value }) => `${key}=${value}`)).toEqual(['port=5432', 'host=postgres', 'port=6000']);
  expect(settings[1]!.group).toBe(settings[2]!.group);
  expect(settings[0]!.group).not.toBe(settings[1]!.group);
});

test('what is written otherwise than it means is left out', () => {
  expect(read('a: "post\\u0067res"\nb: &x postgres\nc: |\n  postgres\nd: postgres\n')).toEqual(['d=postgres']);
});

test('what a file calls a setting does nothing to a terminal', () => {
  const [one] = settingsIn('"a\\e[2Jb":\n  host: postgres\n');
  const [other] = settingsIn('[sec\u001B[2Jtion]\nhost=postgres\n');
  for (const { path } of [one!, other!]) {
    expect(path).toMatch(/\.host$/);
    expect(path).not.toContain('\u001B');
  }
});

test('garbage is no reason to throw', () => {
  for (const text of ['', '\0\u0001', '{', '[', '- a\n- b', '*x', 'a: *x', '%YAML 9', '<xml host="postgres"/>'])
    expect(settingsIn(text).every(({ value, start, end }) => text.slice(start, end) === value)).toBe(true);
});
