/**
 * The screen on a fake run, to look at and for the terminal tests: `node <bundle> <situation>`. A `leave` parks the run
 * after a moment, as the engine does. Prints what was sent and how the screen was left, last.
 */
import { ok } from '../../engine/result.ts';
import { showWizard } from '../main.tsx';
import { fakeHandle } from './fake-handle.ts';
import { SITUATIONS, type Situation } from './situations.ts';

const EXIT_OF = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const situation = (process.argv[2] ?? 'migrate') as Situation;
const handle = fakeHandle(SITUATIONS[situation]());
const send = handle.send.bind(handle);
handle.send = (intent) => {
  send(intent);
  if (intent.kind !== 'leave') return;
  setTimeout(
    () => handle.show({ ...handle.snapshot(), status: 'ended', outcome: 'parked', waitingFor: undefined }),
    50,
  );
};

const shown = await showWizard({
  handle: Promise.resolve(ok(handle)),
  start: { context: 'prod-eu-1', namespace: 'nova' },
  color: 'auto',
  stdout: process.stdout,
  stdin: process.stdin,
  accessible: process.argv.includes('--accessible'),
});
if (shown.signal !== 'SIGHUP') {
  process.stdout.write(`left by ${shown.leftBy}, sent ${JSON.stringify(handle.sent)}\n`);
}
process.exit(shown.signal === undefined ? 0 : EXIT_OF[shown.signal]);
