import { expect, test } from 'vitest';
import { advise } from './pool-advice.ts';

test('twice the peak a pod was seen at, at least four, never above what it holds now', () => {
  expect(advise({ pods: 3, peakInUse: 9, clients: 48 }).suggestedPoolSize).toBe(6);
  expect(advise({ pods: 3, peakInUse: 1, clients: 48 }).suggestedPoolSize).toBe(4);
  expect(advise({ pods: 1, peakInUse: 14, clients: 16 }).suggestedPoolSize).toBe(16);
  expect(advise({ pods: 2, peakInUse: 0, clients: 4 }).suggestedPoolSize).toBe(2);
});

test('the setting has the name its driver gives it', () => {
  expect(advise({ pods: 1, peakInUse: 1, clients: 16, driver: 'pgjdbc' }).setting).toBe('maximumPoolSize (HikariCP)');
  expect(advise({ pods: 1, peakInUse: 1, clients: 16, driver: 'something' }).setting).toBe(
    'the maximum of its own pool',
  );
});
