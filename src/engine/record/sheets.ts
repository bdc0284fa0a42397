/** The tables: `checklist.csv`, `pools.csv`; and `work-notes.txt`, the story as plain text. */
import type { PoolSample } from '../run/model.ts';
import { csv } from './escape.ts';
import type { ChangeRecord } from './types.ts';

export function checklistCsv(record: ChangeRecord): string {
  return csv([
    ['phase', 'item', 'verdict', 'observed', 'at'],
    ...record.checklist.map((item) => [item.phase, item.item, item.verdict, item.observed, item.at]),
  ]);
}

/** One row a pool, pooler pod and sample; times in ms. Empty where a version of PgBouncer has no such column. */
export function poolsCsv(samples: readonly PoolSample[]): string {
  return csv([
    [
      'at',
      'pod',
      'database',
      'user',
      'cl_active',
      'cl_waiting',
      'sv_active',
      'sv_idle',
      'sv_used',
      'sv_tested',
      'sv_login',
      'maxwait_ms',
      'pool_mode',
      'queries_per_second',
      'avg_query_ms',
      'avg_wait_ms',
    ],
    ...samples.flatMap(({ at, rows }) =>
      rows.map((r) => [
        at,
        r.pod,
        r.database,
        r.user,
        r.clActive,
        r.clWaiting,
        r.svActive,
        r.svIdle,
        r.svUsed,
        r.svTested,
        r.svLogin,
        r.maxwaitMs,
        r.poolMode,
        r.queriesPerSecond,
        r.avgQueryMs,
        r.avgWaitMs,
      ]),
    ),
  ]);
}

/** For the work notes of a ticket: plain text, one line an event. */
export function workNotes(record: ChangeRecord): string {
  const { header } = record;
  const lines = [
    header.title,
    `Change ${header.changeNumber ?? 'without a number'}, run ${header.runId}, ${header.cluster.context}/${header.cluster.namespace}`,
    `Status: ${record.status}${record.outcome ? `, ${record.outcome}` : ''}. ${record.close.notes}`,
    '',
    ...record.timeline.map((entry) => `${entry.at}  ${entry.text}`),
  ];
  if (record.deviations.length > 0) {
    lines.push('', 'Deviations:');
    for (const d of record.deviations)
      lines.push(`${d.at}  ${d.kind}${d.step ? ` ${d.step}` : ''}: ${d.text}${d.who ? ` (${d.who})` : ''}`);
  }
  lines.push(
    '',
    `Follow-up${record.followUp.dueAt ? `, due ${record.followUp.dueAt}` : ''}:`,
    ...record.followUp.tasks.map((task) => `- ${task}`),
  );
  // Backslashes and brackets keep no meaning in plain work notes, except ServiceNow's [code] blocks, which render HTML.
  return `${lines.join('\n').replace(/\[(\/?code)\]/gi, '($1)')}\n`;
}
