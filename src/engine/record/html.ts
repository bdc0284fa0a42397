/** `report.html`: one file without anything from outside (the policy in its head forbids it), made to be printed. */
import type { PoolSample } from '../run/model.ts';
import { totalsOf } from './build.ts';
import { lineChart } from './chart.ts';
import { html } from './escape.ts';
import type { ChangeRecord, PlannedStep, RecordStep } from './types.ts';

const STYLE = `
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff;max-width:980px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid #d0d7de;padding-bottom:.2rem}
h3{font-size:1rem;margin:1.2rem 0 .3rem}table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{border:1px solid #d0d7de;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#f6f8fa}
pre{background:#f6f8fa;padding:.5rem;font-size:.8rem;white-space:pre-wrap;overflow-wrap:anywhere}
.badge{display:inline-block;padding:0 .5rem;border-radius:.6rem;border:1px solid currentColor;font-size:.8rem;white-space:nowrap}
.pass,.done,.pooled,.successful{color:#116329}.fail,.failed,.unsuccessful,.refused{color:#a40e26}
.inconclusive,.waived,.switching,.gate-failed{color:#7d4e00}.todo,.skipped,.direct{color:#57606a}.rolled-back{color:#5a32a3}
.chart{width:100%;height:auto;font-size:11px;fill:#57606a}.grid{stroke:#d8dee4}.mark{stroke:#8250df;stroke-dasharray:2 3}
figure{margin:1rem 0;break-inside:avoid}figcaption{font-weight:600}.legend span{margin-right:1rem;font-size:.8rem}.muted{color:#57606a;font-size:.85rem}
section.step{break-inside:avoid}
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}pre{border:1px solid #d0d7de}}
@page{margin:15mm}`;

const GLYPH: Readonly<Record<string, string>> = {
  pass: '✔',
  fail: '✘',
  inconclusive: '?',
  waived: '~',
  skipped: '-',
  running: '▶',
  todo: '○',
};

type Cell = string | number | undefined | { readonly raw: string };

/** State is glyph, word and colour. The class is one of ours, never text of others. */
function badge(state: string): { readonly raw: string } {
  return {
    raw: `<span class="badge ${state.replace(/[^a-z-]/g, '')}">${html(GLYPH[state] ? `${GLYPH[state]} ${state}` : state)}</span>`,
  };
}

function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return '<p class="muted">None.</p>';
  const cell = (value: Cell) => `<td>${typeof value === 'object' ? value.raw : html(value)}</td>`;
  return `<table><thead><tr>${head.map((name) => `<th scope="col">${html(name)}</th>`).join('')}</tr></thead><tbody>\n${rows
    .map((row) => `<tr>${row.map(cell).join('')}</tr>`)
    .join('\n')}\n</tbody></table>`;
}

function planTable(steps: readonly PlannedStep[]): string {
  return table(
    ['Step', 'Guide', 'What', 'Who', 'Minutes at most', 'Restored looks like'],
    steps.map((s) => [s.step, s.guide, s.what, s.who, s.minutes, s.restored]),
  );
}

function stepSection(step: RecordStep): string {
  const parts = [`<section class="step"><h3>${badge(step.state).raw} ${html(step.id)}: ${html(step.title)}</h3>`];
  const when = step.startedAt
    ? `${step.startedAt}${step.finishedAt ? ` to ${step.finishedAt}, ${step.seconds} s` : ''}`
    : 'not started';
  parts.push(
    `<p class="muted">Guide ${html(step.guide)} · ${html(when)}${step.attempts > 1 ? ` · attempt ${step.attempts}` : ''}</p>`,
  );
  for (const text of [step.summary, ...step.departures.map((d) => `Departs from the guide: ${d}`)])
    if (text) parts.push(`<p>${html(text)}</p>`);
  if (step.cause) parts.push(`<p><strong>Cause:</strong> ${html(step.cause)}</p>`);
  if (step.hint) parts.push(`<p><strong>Hint:</strong> ${html(step.hint)}</p>`);
  if (step.note) parts.push(`<p><strong>Note:</strong> ${html(step.note)}</p>`);
  if (step.commands.length > 0) parts.push(`<pre>${html(step.commands.join('\n'))}</pre>`);
  if (step.evidence.length > 0) {
    parts.push(
      table(
        ['Check', 'Verdict', 'Observed', 'Expected', 'At'],
        step.evidence.map((e) => [e.check, badge(e.verdict), e.observed, e.expected, e.at]),
      ),
    );
  }
  if (step.calls.length > 0) {
    parts.push(
      table(
        ['Call', 'At', 'What', 'Direction', 'Result', 'Audit-ID'],
        step.calls.map((c) => [c.callId, c.at, `${c.verb} ${c.target}`, c.direction, c.result, c.auditId]),
      ),
    );
  }
  return `${parts.join('\n')}</section>`;
}

function charts(record: ChangeRecord, samples: readonly PoolSample[]): string {
  const totals = samples
    .map((sample) => ({ atMs: Date.parse(sample.at), ...totalsOf(sample) }))
    .filter((point) => Number.isFinite(point.atMs));
  const marks = record.workloads.flatMap((w) =>
    w.switchedAt ? [{ atMs: Date.parse(w.switchedAt), text: `${w.service} switched` }] : [],
  );
  const series = (name: string, colour: string, dash: string, of: (point: (typeof totals)[number]) => number) => ({
    name,
    colour,
    dash,
    points: totals.map((point) => ({ atMs: point.atMs, value: of(point) })),
  });
  const drawn = [
    lineChart(
      'Clients of the pooler',
      [series('clients', '#0969da', 'none', (p) => p.clients), series('waiting', '#cf222e', '4 2', (p) => p.waiting)],
      marks,
    ),
    lineChart(
      'Connections to PostgreSQL',
      [series('active', '#116329', 'none', (p) => p.active), series('idle', '#9a6700', '5 3', (p) => p.idle)],
      marks,
    ),
  ].join('\n');
  return drawn.trim() === ''
    ? '<p class="muted">No samples.</p>'
    : `${drawn}<p class="muted">Dotted lines mark the moment a service was switched.</p>`;
}

export function reportHtml(record: ChangeRecord, samples: readonly PoolSample[]): string {
  const { header, times } = record;
  const facts: readonly (readonly Cell[])[] = [
    ['Change', header.changeNumber ?? 'no number'],
    ['Run', header.runId],
    ['Status', `${record.status}${record.outcome ? `, ${record.outcome}` : ''}`],
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
    [
      'Actual',
      `${times.actualStart} to ${times.actualEnd ?? 'now running'} (${times.actualMinutes} minutes${header.timeScale === 1 ? '' : ` of run time, ${header.timeScale} times real time`})`,
    ],
  ];
  const section = (title: string, body: string) => `<h2>${title}</h2>\n${body}`;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">',
    `<title>${html(header.changeNumber ? `${header.changeNumber} ${header.title}` : header.title)}</title>`,
    `<style>${STYLE}</style></head><body>`,
    `<h1>${html(header.title)}</h1><p>${badge(record.close.code).raw} ${html(record.close.notes)}</p>`,
    table(['', ''], facts),
    section('Pools', charts(record, samples)),
    section(
      'Workloads',
      table(
        ['Service', 'Phase', 'Workload', 'State', 'Digest before', 'Digest after', 'Switched', 'Rolled back'],
        record.workloads.map((w) => [
          w.service,
          w.phase,
          w.workload,
          badge(w.state),
          w.before?.slice(0, 16),
          w.after?.slice(0, 16),
          w.switchedAt,
          w.rolledBackAt,
        ]),
      ),
    ),
    section(
      'Decisions',
      table(
        ['At', 'Phase', 'Who', 'Decision', 'Override', 'Why'],
        record.decisions.map((d) => [d.at, d.phase, d.who, d.action, d.override ? 'yes' : 'no', d.reason]),
      ),
    ),
    section(
      'Deviations',
      table(
        ['At', 'Kind', 'Step', 'What', 'Who'],
        record.deviations.map((d) => [d.at, d.kind, d.step, d.text, d.who]),
      ),
    ),
    section(
      'Checklist',
      table(
        ['Phase', 'Item', 'Verdict', 'Observed', 'At'],
        record.checklist.map((c) => [c.phase, c.item, badge(c.verdict), c.observed, c.at]),
      ),
    ),
    section('Steps', record.steps.map(stepSection).join('\n')),
    section('Implementation plan', planTable(record.implementationPlan)),
    section('Test plan', planTable(record.testPlan)),
    section('Backout plan', planTable(record.backoutPlan)),
    section(
      'Timeline',
      table(
        ['At', 'What'],
        record.timeline.map((entry) => [entry.at, entry.text]),
      ),
    ),
    section(
      'Follow-up',
      `${record.followUp.dueAt ? `<p>Due ${html(record.followUp.dueAt)}.</p>` : ''}<ul>${record.followUp.tasks.map((task) => `<li>${html(task)}</li>`).join('')}</ul>`,
    ),
    `<p class="muted">Journal: ${record.journal.events} events, head ${html(record.journal.head)}. Check with pgb-wizard verify.</p>`,
    '</body></html>',
    '',
  ].join('\n');
}
