/** `record.md`: the record for people who read a repository or a wiki. */
import { markdownCode, markdown as md } from './escape.ts';
import type { ChangeRecord, PlannedStep, RecordStep } from './types.ts';

const MARK = { pass: '✔', fail: '✘', inconclusive: '?', waived: '~', skipped: '-', running: '▶', todo: '○' } as const;

function table(head: readonly string[], rows: readonly (readonly (string | number | undefined)[])[]): string {
  if (rows.length === 0) return '_None._';
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(row.map((cell) => md(cell) || ' ')))].join(
    '\n',
  );
}

function planTable(steps: readonly PlannedStep[]): string {
  const withRestored = steps.some((step) => step.restored);
  return table(
    ['Step', 'Guide', 'What', 'Who', 'Minutes at most', ...(withRestored ? ['Restored looks like'] : [])],
    steps.map((step) => [
      step.step,
      step.guide,
      step.what,
      step.who,
      step.minutes,
      ...(withRestored ? [step.restored] : []),
    ]),
  );
}

function stepSection(step: RecordStep): string {
  const parts = [`### ${MARK[step.state]} ${md(step.id)}: ${md(step.title)}`, ''];
  const times = step.startedAt
    ? `${step.startedAt}${step.finishedAt ? ` to ${step.finishedAt} (${step.seconds} s)` : ''}`
    : 'not started';
  parts.push(
    `Guide ${md(step.guide)} · **${step.state}** · ${times}${step.attempts > 1 ? ` · attempt ${step.attempts}` : ''}`,
    '',
  );
  if (step.summary) parts.push(md(step.summary), '');
  if (step.commands.length > 0) parts.push(markdownCode(step.commands), '');
  for (const departure of step.departures) parts.push(`- Departs from the guide: ${md(departure)}`);
  if (step.cause) parts.push(`- Cause: ${md(step.cause)}`);
  if (step.hint) parts.push(`- Hint: ${md(step.hint)}`);
  if (step.note) parts.push(`- Note: ${md(step.note)}`);
  if (step.evidence.length > 0) {
    parts.push(
      '',
      table(
        ['Check', 'Verdict', 'Observed', 'Expected', 'At'],
        step.evidence.map((e) => [e.check, e.verdict, e.observed, e.expected, e.at]),
      ),
      '',
    );
    parts.push(`Evidence sha256 \`${step.evidenceDigest}\``);
  }
  if (step.calls.length > 0) {
    parts.push(
      '',
      table(
        ['Call', 'At', 'What', 'Direction', 'Result', 'Audit-ID'],
        step.calls.map((c) => [c.callId, c.at, `${c.verb} ${c.target}`, c.direction, c.result, c.auditId]),
      ),
    );
  }
  if (step.pools) {
    const { samples, peakClients, peakWaiting, peakActive, longestWaitMs } = step.pools;
    parts.push(
      '',
      `Pools: ${samples} samples, at most ${peakClients} clients, ${peakWaiting} waiting, ${peakActive} active servers, longest wait ${longestWaitMs} ms.`,
    );
  }
  return parts.join('\n');
}

export function recordMarkdown(record: ChangeRecord): string {
  const { header, times } = record;
  const sections = [
    `# ${md(header.title)}`,
    table(
      ['', ''],
      [
        ['Change', header.changeNumber ?? 'no number'],
        ['Run', header.runId],
        ['Status', `${record.status}${record.outcome ? `, ${record.outcome}` : ''}`],
        ['Close code', record.close.code],
        ['Type', header.type],
        ['Risk', header.risk],
        ['Impact', header.impact],
        [
          'Cluster',
          `${header.cluster.context}/${header.cluster.namespace}, Kubernetes ${header.cluster.version}, uid ${header.cluster.uid}`,
        ],
        ['Plan', `${header.plan.name}, sha256 ${header.plan.hash}`],
        ['People', header.people.join(', ')],
        ['Tool', `pgb-wizard ${header.toolVersion}`],
        ['Planned', times.plannedStart ? `${times.plannedStart} to ${times.plannedEnd}` : 'no window given'],
        ['Actual', `${times.actualStart} to ${times.actualEnd ?? 'now running'} (${times.actualMinutes} minutes)`],
        ...(header.timeScale === 1 ? [] : [['Time', `run time, ${header.timeScale} times faster than real time`]]),
      ],
    ),
    `## Result\n\n${md(record.close.notes)}`,
    `## Workloads\n\n${table(
      ['Service', 'Phase', 'Workload', 'State', 'Digest before', 'Digest after', 'Switched', 'Rolled back'],
      record.workloads.map((w) => [
        w.service,
        w.phase,
        w.workload,
        w.state,
        w.before?.slice(0, 16),
        w.after?.slice(0, 16),
        w.switchedAt,
        w.rolledBackAt,
      ]),
    )}`,
    `## Decisions\n\n${table(
      ['At', 'Phase', 'Who', 'Decision', 'Override', 'Why'],
      record.decisions.map((d) => [d.at, d.phase, d.who, d.action, d.override ? 'yes' : 'no', d.reason]),
    )}`,
    `## Deviations\n\n${table(
      ['At', 'Kind', 'Step', 'What', 'Who'],
      record.deviations.map((d) => [d.at, d.kind, d.step, d.text, d.who]),
    )}`,
    `## Checklist\n\n${table(
      ['Phase', 'Item', 'Verdict', 'Observed', 'At'],
      record.checklist.map((c) => [c.phase, c.item, c.verdict, c.observed, c.at]),
    )}`,
    `## Implementation plan\n\n${planTable(record.implementationPlan)}`,
    `## Test plan\n\n${planTable(record.testPlan)}`,
    `## Backout plan\n\n${planTable(record.backoutPlan)}`,
    `## Steps\n\n${record.steps.map(stepSection).join('\n\n')}`,
    `## Follow-up\n\n${record.followUp.dueAt ? `Due ${record.followUp.dueAt}.\n\n` : ''}${record.followUp.tasks.map((task) => `- ${md(task)}`).join('\n')}`,
    `## Journal\n\n${record.journal.events} events, head \`${record.journal.head}\`. Check this record with \`pgb-wizard verify\`.`,
  ];
  return `${sections.join('\n\n')}\n`;
}
