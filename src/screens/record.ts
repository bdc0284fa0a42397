/** The change record: what it holds so far, where the journal is, its head hash, and the export. */
import { labelled } from '../components/findings.ts';
import { clockTime, shortTime } from '../components/format.ts';
import { type Line, span } from '../components/line.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

const FILES = ['record.json', 'record.md', 'checklist.csv', 'events.jsonl', 'SHA256SUMS'];

/** `2026-11-23 20:55:49` of an RFC 3339 time in UTC. */
const momentOf = (at: string): string => `${at.slice(0, 10)} ${shortTime(at)}`;

export function recordScreen(view: View): Body {
  const { snapshot, width, glyphs, now } = view;
  const count = (state: string) => snapshot.steps.filter((step) => step.state === state).length;
  const head: Line[] = [[span(' Change record', 'title'), span('   complete at any moment, mid-run too', 'muted')], []];
  const content: Line[] = [
    ...labelled('run', `${snapshot.runId} by ${snapshot.operator}, plan ${snapshot.planName}`, width, undefined),
    ...labelled('where', `${snapshot.context} / ${snapshot.namespace}`, width, undefined),
    ...labelled(
      'time',
      `${momentOf(snapshot.startedAt)} to ${snapshot.status === 'ended' ? momentOf(snapshot.now) : 'now'} UTC, ${clockTime(now - Date.parse(snapshot.startedAt))}`,
      width,
      undefined,
    ),
    ...labelled(
      'steps',
      `${count('pass')} pass, ${count('fail')} fail, ${count('inconclusive')} unknown, ${count('waived')} waived, ${count('skipped')} skipped${count('running') === 0 ? '' : `, ${count('running')} running`}, ${count('todo')} to do`,
      width,
      undefined,
    ),
    [],
    ...labelled('journal', snapshot.journal.path, width, undefined),
    ...labelled('events', String(snapshot.journal.events), width, undefined),
    ...labelled('head', snapshot.journal.headHash, width, 'info'),
    [],
    ...labelled('files', FILES.join(', '), width, 'muted'),
    snapshot.exportedTo === undefined
      ? [span('   not exported yet', 'muted')]
      : [span(`   ${glyphs.ok} `, 'ok'), span(`exported to ${snapshot.exportedTo}`)],
    ...(snapshot.messages.length === 0 ? [] : [[] as Line, [span(' What happened', 'title')] as Line]),
    ...[...snapshot.messages]
      .reverse()
      .flatMap((message): Line[] =>
        labelled(
          message.at.slice(11, 19),
          message.text,
          width,
          message.level === 'info' ? undefined : message.level === 'warn' ? 'warn' : 'bad',
        ),
      ),
  ];
  return { lines: scrolled(view, head, content, 'record') };
}
