/**
 * A writer that is killed: appends events to a journal and says each one's number when it was acknowledged.
 * Arguments: folder, run id, `create` or `open`. Ends by itself when told `stop` on stdin.
 */
import { writeSync } from 'node:fs';
import { openJournal } from '../../src/engine/run/journal.ts';
import { startedEvent } from './sample-run.ts';

const [dir, runId, mode] = process.argv.slice(2);
const say = (text: string) => writeSync(1, `${text}\n`);
const journal = await openJournal({
  dir: dir!,
  runId: runId!,
  clock: { now: () => Date.now() },
  create: mode === 'create',
});
if (!journal.ok) {
  say(journal.error.code);
  process.exit(journal.error.exitCode);
}
if (mode === 'create') journal.value.append(startedEvent(runId));
say('open');
const append = () => {
  const line = journal.value.append({ type: 'message', level: 'info', text: `event of ${process.pid}` });
  say(line.ok ? `ack ${line.value.seq}` : line.error.code);
  setImmediate(append);
};
process.stdin.once('data', () => {
  journal.value.close();
  process.exit(0);
});
if (mode !== 'hold') append();
