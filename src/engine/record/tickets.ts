/** The record for ticket systems: fields of a ServiceNow change request, and a Jira issue with a formatted description. */

import { workNotes } from './sheets.ts';
import type { ChangeRecord, PlannedStep } from './types.ts';

const CLOSE_CODE = {
  successful: 'successful',
  'successful with issues': 'successful_issues',
  unsuccessful: 'unsuccessful',
  'backed out': 'unsuccessful',
  open: undefined,
} as const;

/** ServiceNow takes `YYYY-MM-DD HH:MM:SS` in UTC. */
function serviceNowTime(at: string | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

function planText(steps: readonly PlannedStep[]): string {
  return steps
    .map((step, index) => {
      const limit = step.minutes === undefined ? '' : `, at most ${step.minutes} minutes`;
      return `${index + 1}. ${step.what} (${step.step}, ${step.who}${limit})${step.restored ? `. Restored: ${step.restored}` : ''}`;
    })
    .join('\n');
}

/** Body for the Table API of `change_request`; fields without a value are left out. */
export function serviceNow(record: ChangeRecord): Record<string, string> {
  const { header, times } = record;
  const fields: Record<string, string | undefined> = {
    number: header.changeNumber,
    short_description: header.title,
    description: `${header.impact}. ${header.risk}. Run ${header.runId}, plan ${header.plan.name} (sha256 ${header.plan.hash}), cluster ${header.cluster.context}/${header.cluster.namespace}.`,
    type: 'normal',
    risk: '4',
    impact: '3',
    implementation_plan: planText(record.implementationPlan),
    test_plan: planText(record.testPlan),
    backout_plan: planText(record.backoutPlan),
    start_date: serviceNowTime(times.plannedStart),
    end_date: serviceNowTime(times.plannedEnd),
    work_start: serviceNowTime(times.actualStart),
    work_end: serviceNowTime(times.actualEnd),
    close_code: CLOSE_CODE[record.close.code],
    close_notes: record.close.code === 'open' ? undefined : record.close.notes,
    work_notes: workNotes(record),
  };
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

type Node = { readonly [key: string]: unknown };

const paragraph = (text: string): Node => ({ type: 'paragraph', content: text === '' ? [] : [{ type: 'text', text }] });
const heading = (text: string): Node => ({ type: 'heading', attrs: { level: 2 }, content: [{ type: 'text', text }] });
const list = (items: readonly string[]): Node =>
  items.length === 0
    ? paragraph('None.')
    : { type: 'bulletList', content: items.map((item) => ({ type: 'listItem', content: [paragraph(item)] })) };
const row = (type: 'tableHeader' | 'tableCell', cells: readonly string[]): Node => ({
  type: 'tableRow',
  content: cells.map((cell) => ({ type, attrs: {}, content: [paragraph(cell)] })),
});

/** Body for Jira's create-issue call (REST v3); the description is an Atlassian document, where text stays text. */
export function jira(record: ChangeRecord): { readonly fields: Node } {
  const { header } = record;
  return {
    fields: {
      summary: header.changeNumber ? `${header.changeNumber} ${header.title}`.slice(0, 255) : header.title,
      labels: ['pgb-wizard', `run-${header.runId}`],
      description: {
        type: 'doc',
        version: 1,
        content: [
          paragraph(`${record.close.code}. ${record.close.notes}`),
          heading('Workloads'),
          {
            type: 'table',
            content: [
              row('tableHeader', ['Service', 'Phase', 'State', 'Switched', 'Rolled back']),
              ...record.workloads.map((w) =>
                row('tableCell', [w.service, w.phase, w.state, w.switchedAt ?? '', w.rolledBackAt ?? '']),
              ),
            ],
          },
          heading('Decisions'),
          list(
            record.decisions.map(
              (d) => `${d.at} ${d.phase}: ${d.who} chose ${d.action}${d.reason ? `, ${d.reason}` : ''}`,
            ),
          ),
          heading('Deviations'),
          list(record.deviations.map((d) => `${d.at} ${d.kind}${d.step ? ` ${d.step}` : ''}: ${d.text}`)),
          heading('Checklist'),
          list(record.checklist.map((c) => `${c.phase} ${c.item}: ${c.verdict}${c.observed ? `, ${c.observed}` : ''}`)),
          heading('Follow-up'),
          list(record.followUp.tasks),
        ],
      },
    },
  };
}
