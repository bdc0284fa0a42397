import { expect, test } from 'vitest';
import { sideBySide } from './side-by-side.ts';

test('no more than so many are at work, none is left out, and the order is that of the items', async () => {
  let working = 0;
  let most = 0;
  const results = await sideBySide([5, 1, 4, 2, 3, 0], 2, async (item, index) => {
    most = Math.max(most, ++working);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    working--;
    return `${index}:${item}`;
  });
  expect(most).toBe(2);
  expect(results).toEqual(['0:5', '1:1', '2:4', '3:2', '4:3', '5:0']);
  expect(await sideBySide([], 4, async () => 1)).toEqual([]);
});

test('after one that is rejected none is begun, and those under way are waited for', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const all = sideBySide([1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error('no');
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    ended.push(item);
  });
  await expect(all).rejects.toThrow('no');
  expect([begun, ended]).toEqual([[1, 2], [2]]);
});
