/** All files of a record, by name: pure text, so that a check can make them again and compare. */
import { canonicalJson } from '../plan/canonical.ts';
import type { JournalLine } from '../run/events.ts';
import { journalText } from '../run/journal.ts';
import { samplesOf } from './build.ts';
import { markdown } from './escape.ts';
import { reportHtml } from './html.ts';
import { recordMarkdown } from './markdown.ts';
import { checklistCsv, poolsCsv, workNotes } from './sheets.ts';
import { jira, serviceNow } from './tickets.ts';
import type { ChangeRecord } from './types.ts';

/** The list of sums, written last. */
export const SUMS = 'SHA256SUMS';
/** The namespace that `ssh-keygen -Y` binds a signature to. */
export const SIGNATURE_NAMESPACE = 'pgb-wizard-record';

export const RECORD_FILES = [
  'record.json',
  'record.md',
  'work-notes.txt',
  'checklist.csv',
  'report.html',
  'servicenow.json',
  'jira.json',
  'events.jsonl',
  'pools.csv',
  'MIGRATION_HISTORY.md',
  'pgbouncer-final-state.json',
] as const;

export type RecordFile = (typeof RECORD_FILES)[number];

/** Canonical key order, indented for people. */
function prettyJson(value: unknown): string {
  return `${JSON.stringify(JSON.parse(canonicalJson(value)), null, 2)}\n`;
}

/** The line for the team's history (guide 5.3); until the run has come that far it says so. */
function historyEntry(record: ChangeRecord): string {
  const entry = record.facts.historyEntry;
  return `- ${typeof entry === 'string' ? markdown(entry) : `run ${record.header.runId}: not completed`}\n`;
}

export function renderViews(record: ChangeRecord, lines: readonly JournalLine[]): Readonly<Record<RecordFile, string>> {
  const samples = samplesOf(lines);
  return {
    'record.json': prettyJson(record),
    'record.md': recordMarkdown(record),
    'work-notes.txt': workNotes(record),
    'checklist.csv': checklistCsv(record),
    'report.html': reportHtml(record, samples),
    'servicenow.json': prettyJson(serviceNow(record)),
    'jira.json': prettyJson(jira(record)),
    'events.jsonl': journalText(lines),
    'pools.csv': poolsCsv(samples),
    'MIGRATION_HISTORY.md': historyEntry(record),
    'pgbouncer-final-state.json': prettyJson(record.facts.finalState ?? {}),
  };
}
