/** How a list of arguments stands to an edit: by its place first, because two flags may have one value. */
import { expect, test } from 'vitest';
import type { Edit } from '../kube/edits.ts';
import { moveOf, standing } from './entry.ts';

const DIRECT = 'postgres://u@postgres:5432/nova';
const POOLED = 'postgres://u@pgbouncer:6432/nova';
const template = (args: readonly string[]) => ({ spec: { containers: [{ name: 'app', args }] } });
const at = (index: number): Edit => ({
  kind: 'argument',
  list: 'containers',
  container: 'app',
  field: 'args',
  index,
  before: DIRECT,
  after: POOLED,
});
const stand = (args: readonly string[], index: number) =>
  standing(template(args), at(index), moveOf(at(index), 'forward'));

test.each([
  ['of two equal ones the second is not done because the first is', ['--rw', POOLED, '--ro', DIRECT], 3, 'from', 3],
  ['of two equal ones the first is not to be done because the second is', ['--rw', POOLED, '--ro', DIRECT], 1, 'to', 1],
  ['one that stands elsewhere is found', ['-v', '--rw', DIRECT], 1, 'from', 2],
  ['one that stands elsewhere and is done is found', ['-v', '--rw', POOLED], 1, 'to', 2],
  ['two that stand elsewhere could be either', ['-v', '--rw', DIRECT, '--ro', DIRECT], 1, 'differs', undefined],
  ['another value is another value', ['--rw', 'postgres://u@elsewhere/nova'], 1, 'differs', undefined],
  ['a patch without arguments says nothing', [], 1, 'absent', undefined],
] as const)('%s', (_, args, index, state, found) => {
  expect(stand(args, index)).toEqual(found === undefined ? { state } : { state, index: found });
});
