import { expect, test } from 'vitest';
import { ContainerLog } from './logs.ts';

const signal = new AbortController().signal;
const collect = async (log: ContainerLog, options = {}) => {
  const lines: string[] = [];
  for await (const { line } of log.read({ follow: false, signal, ...options })) lines.push(line);
  return lines;
};

test('output is cut into lines wherever the chunks end', async () => {
  const log = new ContainerLog();
  log.write('one\ntw');
  log.write('o\r\nthree');
  expect(await collect(log)).toEqual(['one', 'two']);
  log.close();
  expect(await collect(log, { tailLines: 2 })).toEqual(['two', 'three']);
});

test('following ends when the container ends', async () => {
  const log = new ContainerLog();
  log.line('first');
  const following = collect(log, { follow: true });
  log.line('second');
  log.close();
  expect(await following).toEqual(['first', 'second']);
});

test('following ends when the reader leaves', async () => {
  const log = new ContainerLog();
  const reader = new AbortController();
  const following = collect(log, { follow: true, signal: reader.signal });
  reader.abort();
  expect(await following).toEqual([]);
});

test('a long log forgets its beginning', async () => {
  const log = new ContainerLog();
  for (let i = 0; i < 6000; i++) log.line(String(i));
  const lines = await collect(log);
  expect([lines.length, lines[0], lines.at(-1)]).toEqual([5000, '1000', '5999']);
});
