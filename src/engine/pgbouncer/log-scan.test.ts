import { expect, test } from 'vitest';
import { loginsIn } from './log-scan.ts';

test('logins are read from the log with the time the node gave them', () => {
  const line = (at: string, who: string) =>
    `${at} 2026-11-24 10:00:00.123 UTC [1] LOG C-0x55d0: ${who} login attempt: db=nova user=nova_user tls=no`;
  const logins = loginsIn([
    line('2026-11-24T10:00:00.1Z', 'nova/nova_user@10.0.0.1:45678'),
    line('2026-11-24T10:00:05.1Z', 'nova/nova_user@10.0.0.1:45679'),
    line('2026-11-24T10:00:06Z', 'nova/nova_user@[fd00::1]:45679'),
    line('2026-11-24T10:00:07Z', 'pgbouncer/admin@127.0.0.1:45679'),
    '2026-11-24T10:00:08Z 2026-11-24 10:00:08 UTC [1] LOG C-0x55d0: nova/nova_user@10.0.0.3:1 closing because: x',
  ]);
  expect([...logins]).toEqual([
    ['10.0.0.1', Date.parse('2026-11-24T10:00:05.1Z')],
    ['fd00::1', Date.parse('2026-11-24T10:00:06Z')],
  ]);
});
