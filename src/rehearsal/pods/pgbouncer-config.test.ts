import { expect, test } from 'vitest';
import { adaptIni, databaseHosts, listenPort } from './pgbouncer-config.ts';

const INI = `; comment = kept
[databases]
nova = host=postgres.nova.svc.cluster.local port=5432 dbname=nova user=nova_user password='it''s = host=x'
other = host=elsewhere.example.org dbname=o

[pgbouncer]
listen_addr = 0.0.0.0
listen_port = 6432
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = transaction
`;

const changes = {
  listenAddress: '127.42.1.9',
  socketFolder: '/run/s',
  path: (path: string) => `/root${path}`,
  host: (host: string) => (host.startsWith('postgres.') ? { host: '127.42.65.9', port: 5432 } : undefined),
};

test('only addresses and paths of the applied file are changed', () => {
  expect(adaptIni(INI, changes)).toBe(`; comment = kept
[databases]
nova = host=127.42.65.9 port=5432 dbname=nova user=nova_user password='it''s = host=x'
other = host=elsewhere.example.org dbname=o

[pgbouncer]
listen_addr = 127.42.1.9
listen_port = 6432
auth_file = /root/etc/pgbouncer/userlist.txt
pool_mode = transaction

unix_socket_dir = /run/s`);
});

test('an empty unix_socket_dir stays empty, a path gets the folder of the pod', () => {
  expect(adaptIni('[pgbouncer]\nunix_socket_dir =', changes)).toBe('[pgbouncer]\nunix_socket_dir =');
  expect(adaptIni('[pgbouncer]\nunix_socket_dir = /tmp', changes)).toBe('[pgbouncer]\nunix_socket_dir = /run/s');
});

test('a database without a port gets the port of its way out', () => {
  expect(adaptIni('[databases]\n* = host=postgres.nova', changes)).toBe('[databases]\n* = host=127.42.65.9 port=5432');
});

test('hosts and the listen port are found', () => {
  expect(databaseHosts(INI)).toEqual([
    { host: 'postgres.nova.svc.cluster.local', port: 5432 },
    { host: 'elsewhere.example.org', port: 5432 },
  ]);
  expect(listenPort(INI)).toBe(6432);
  expect(listenPort('[pgbouncer]\nlisten_port=7000')).toBe(7000);
});
