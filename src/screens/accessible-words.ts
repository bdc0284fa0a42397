/** The run in sentences: what changed, what is asked, and what the screen shows in its views. */
import { duration, limitWords, shortTime } from '../components/format.ts';
import { guideNumber, isHeld, phaseSign, serviceSign, stepSign, verdictSign } from '../components/states.ts';
import { ASCII } from '../components/theme.ts';
import type { Ask, RunSnapshot } from '../engine/run/model.ts';
import { adviceOf } from './decision.ts';
import { findingsOf } from './doctor.ts';
import { emptyLog } from './logs.ts';
import { isBack } from './screen.ts';

/** What changed from one snapshot to the next, as lines; the first call tells where the run stands. */
export function changes(before: RunSnapshot | undefined, after: RunSnapshot): string[] {
  const out: string[] = [];
  if (before === undefined) {
    out.push(
      `Run ${after.runId} by ${after.operator}: ${after.context} / ${after.namespace}${after.rehearsal ? ', rehearsal' : ''}.`,
    );
    for (const phase of after.phases)
      out.push(
        `Phase ${phase.number}, ${phase.title}: ${phase.done} of ${phase.total}, ${phaseSign(phase.state, ASCII).word}.`,
      );
  }
  const known = new Map(before?.steps.map((step) => [step.id, step]));
  for (const step of after.steps) {
    const old = known.get(step.id);
    const moved = old?.state !== step.state;
    if (before !== undefined && moved)
      out.push(
        `${guideNumber(step) === '' ? '' : `${guideNumber(step)} `}${step.title}: ${stepSign(step, ASCII).word}${step.cause === undefined ? '' : `. Cause: ${step.cause}`}`,
      );
    if (before === undefined && step.state === 'running') out.push(`Now: ${step.title}.`);
    const told = before === undefined ? step.evidence.length : (old?.evidence.length ?? 0);
    for (const one of step.evidence.slice(told))
      out.push(`  ${verdictSign(one.verdict, ASCII).word}: ${one.check}: ${one.observed}`);
  }
  for (const service of after.services) {
    const old = before?.services.find((one) => one.name === service.name);
    if (old !== undefined && old.state !== service.state)
      out.push(`${service.name}: ${serviceSign(service.state, ASCII).word}.`);
  }
  if (after.waitingFor !== undefined && after.waitingFor.text !== before?.waitingFor?.text) {
    const { since, until } = after.waitingFor;
    out.push(
      sentence(
        `Waiting for ${after.waitingFor.text}${until === undefined ? '' : `, at most ${limitWords(Date.parse(until) - Date.parse(since))}`}`,
      ),
    );
  }
  out.push(...decisionChanges(before, after));
  if (after.cluster.state !== before?.cluster.state && (before !== undefined || after.cluster.state !== 'ok'))
    out.push(`Cluster data: ${after.cluster.state}, ${duration(after.cluster.ageMs)} old.`);
  if (isHeld(after) && (before === undefined || !isHeld(before)))
    out.push(`On hold: ${after.heldFor ?? 'no reason given'}. Nothing new is begun until somebody lets the run go on.`);
  if (before !== undefined && isHeld(before) && !isHeld(after) && after.status !== 'ended')
    out.push('The hold is lifted.');
  if (after.exportedTo !== undefined && after.exportedTo !== before?.exportedTo)
    out.push(`Record exported to ${after.exportedTo}.`);
  return out;
}

const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`);

/** While a decision is open its gates and its soak go on; what changes the answer is told. */
function decisionChanges(before: RunSnapshot | undefined, after: RunSnapshot): string[] {
  const was = before?.ask;
  const is = after.ask;
  if (before === undefined || was?.kind !== 'decide' || is?.kind !== 'decide' || was.id !== is.id) return [];
  const out: string[] = [];
  for (const gate of is.gates) {
    const old = was.gates.find((one) => one.id === gate.id);
    if (old === undefined || old.verdict === gate.verdict) continue;
    out.push(`Gate ${gate.title}: ${verdictSign(gate.verdict, ASCII).word}: ${gate.observed}, limit ${gate.limit}.`);
  }
  const [then, now] = [Date.parse(before.now), Date.parse(after.now)];
  if (Date.parse(was.soakUntil) > then && Date.parse(is.soakUntil) <= now) out.push('The soak is over.');
  const advice = adviceOf(is, now).text;
  if (advice !== adviceOf(was, then).text) out.push(`Advice: ${advice}.`);
  return out;
}

/** The question of an ask: what it is about. `back`: of a failure, the service is back already. */
export function describe(ask: Ask, now: number, back = false): string[] {
  switch (ask.kind) {
    case 'confirm':
    case 'rollback':
      return [
        ask.title,
        ask.preview.summary,
        ...(ask.preview.warnings ?? []).map((text) => `Warning: ${text}`),
        ...ask.preview.diff.map(
          (line) =>
            `${{ title: 'about', context: 'in', remove: 'remove', add: 'add', note: 'note' }[line.kind]}: ${line.text}`,
        ),
        ...(ask.preview.departures ?? []).map((text) => `Not as the guide says: ${text}`),
        ...ask.preview.commands.map((text) => `By hand: ${text}`),
      ];
    case 'decide':
      return [
        ask.title,
        Date.parse(ask.soakUntil) > now
          ? `Soak: ${duration(Date.parse(ask.soakUntil) - now)} left of ${limitWords(ask.soakMs)}.`
          : 'Soak: over.',
        ...ask.gates.map(
          (gate) => `${verdictSign(gate.verdict, ASCII).word}: ${gate.title}: ${gate.observed}, limit ${gate.limit}`,
        ),
        `Advice: ${adviceOf(ask, now).text}.`,
      ];
    case 'failure':
      return [
        `${ask.verdict === 'fail' ? 'Failed' : 'Could not measure'}: ${ask.title}`,
        ...(back ? [`${ask.service} is back on PostgreSQL, with its original value and its original pods.`] : []),
        `Cause: ${ask.cause}`,
        ...(back ? [] : [`What to do: ${ask.hint}`]),
        ...ask.findings.map(
          (finding) =>
            `Found: ${finding.symptom}; cause: ${finding.cause}; seen: ${finding.observed}; fix: ${finding.fix}`,
        ),
        ...ask.logTail.map((text) => `Log: ${text}`),
      ];
    case 'reconcile':
      return [
        'Resume the run? Nothing has been done yet.',
        ...(ask.rows.length === 0 ? ['No service was switched: there is nothing to compare.'] : []),
        ...ask.rows.map(
          (row) => `${row.what}. Journal says: ${row.journal}. Cluster says: ${row.cluster}. Will do: ${row.willDo}.`,
        ),
        ...(ask.rows.some((row) => row.verdict === 'stop')
          ? ['It cannot go on as it is: the journal contradicts the cluster.']
          : []),
      ];
  }
}

/** What can be asked for by a letter, as the views of the screen are by a key. */
export const LOOKS: readonly {
  readonly letter: string;
  readonly what: string;
  readonly lines: (snapshot: RunSnapshot) => readonly string[];
}[] = [
  { letter: 's', what: 'where it stands', lines: (snapshot) => changes(undefined, snapshot) },
  {
    letter: 'q',
    what: 'the open question again',
    lines: (snapshot) =>
      snapshot.ask === undefined
        ? ['Nothing is asked now.']
        : describe(snapshot.ask, Date.parse(snapshot.now), isBack(snapshot)),
  },
  { letter: 'p', what: 'pools and connections', lines: poolWords },
  { letter: 'l', what: 'the newest log lines; followed from the first time on', lines: logWords },
  { letter: 'd', what: 'the doctor', lines: doctorWords },
  { letter: 'c', what: 'the checklist', lines: checklistWords },
  { letter: 'w', what: 'every step of the plan', lines: planWords },
  { letter: 'e', what: 'the change record', lines: recordWords },
];

function poolWords({ pools }: RunSnapshot): string[] {
  const { postgres } = pools;
  return [
    ...(pools.rows.length === 0 ? ['No pool has been seen yet.'] : []),
    ...pools.poolers
      .filter((pooler) => pooler.state !== 'ok')
      .map((pooler) => `Pooler ${pooler.pod} does not answer; its numbers are ${duration(pooler.ageMs)} old.`),
    ...pools.rows.map(
      (row) =>
        `Pool ${row.database}/${row.user} of ${row.pod}: ${row.clActive} clients, ${row.clWaiting} waiting, ${row.svActive} servers active, ${row.svIdle} idle.`,
    ),
    postgres === undefined
      ? 'PostgreSQL: connections not measured yet.'
      : `PostgreSQL: ${postgres.total} of ${postgres.maxConnections} connections, ${postgres.pooled} pooled, ${postgres.direct} direct, ${postgres.other} other.`,
  ];
}

function logWords({ logLines, following }: RunSnapshot): string[] {
  if (logLines.length === 0) return [emptyLog({ following })];
  return logLines.slice(-20).map((row) => `${row.source}: ${row.text}`);
}

function doctorWords(snapshot: RunSnapshot): string[] {
  const found = findingsOf(snapshot);
  if (found.length === 0) return ['Nothing is wrong in what is measured.'];
  return found.map(
    (one) => `Found: ${one.symptom}; cause: ${one.cause}; check: ${one.check}; seen: ${one.observed}; fix: ${one.fix}`,
  );
}

function checklistWords({ checklist }: RunSnapshot): string[] {
  if (checklist.length === 0) return ['Nothing yet: the first list is filled in after phase 1.'];
  return checklist.map(
    (item) => `${item.phase}: ${verdictSign(item.verdict, ASCII).word}: ${item.item}: ${item.observed}`,
  );
}

function planWords({ steps }: RunSnapshot): string[] {
  return steps.map((step) => `${step.id}: ${step.title}: ${stepSign(step, ASCII).word}.`);
}

function recordWords(snapshot: RunSnapshot): string[] {
  return [
    `Journal: ${snapshot.journal.path}, ${snapshot.journal.events} events, head ${snapshot.journal.headHash}.`,
    snapshot.exportedTo === undefined ? 'The record is not exported yet.' : `Exported to ${snapshot.exportedTo}.`,
    ...snapshot.messages.map((message) => `${shortTime(message.at)} ${message.text}`),
  ];
}
