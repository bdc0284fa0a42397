/** The end of a run on the screen, and the summary that stays in the terminal's scrollback. */
import { labelled } from '../components/findings.ts';
import { duration } from '../components/format.ts';
import { fitLine, type Line, lineWidth, padEnd, span, textOf } from '../components/line.ts';
import { asciiLine, paintLines } from '../components/paint.ts';
import { phaseSign, serviceSign } from '../components/states.ts';
import { ASCII, type Glyphs, type Theme, type Tone, themeOf, UNICODE } from '../components/theme.ts';
import type { Outcome, RunSnapshot } from '../engine/run/model.ts';
import type { Body, StartInfo, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

const ENDINGS: Readonly<Record<Exclude<Outcome, 'done'>, { readonly text: string; readonly tone: Tone }>> = {
  failed: { text: 'Failed: the run has ended with an error', tone: 'bad' },
  parked: { text: 'Parked: nothing is under way, the run can be resumed', tone: 'warn' },
  'rolled-back': { text: 'Rolled back: the original values are in place again', tone: 'warn' },
  'gate-failed': { text: 'A gate failed; nothing was rolled back', tone: 'bad' },
  refused: { text: 'Refused: nothing was changed', tone: 'bad' },
};

/** Over is not everywhere: what was skipped, left out or waived is said before anything else. */
function doneWords({ services }: RunSnapshot): { readonly text: string; readonly tone: Tone } {
  const others = services.filter((service) => service.state !== 'pooled').length;
  if (others === 0) return { text: 'Done: every service of the plan reaches PostgreSQL through PgBouncer', tone: 'ok' };
  return {
    text: `Done, but not everywhere: ${services.length - others} of ${services.length} services are proved to use PgBouncer`,
    tone: 'warn',
  };
}

/** One service may have been taken back, or everything: the difference is the news. */
function backWords({ services }: RunSnapshot): { readonly text: string; readonly tone: Tone } {
  const back = services.filter((service) => service.state === 'rolled-back').length;
  const pooled = services.filter((service) => service.state === 'pooled').length;
  if (pooled === 0) return ENDINGS['rolled-back'];
  return { text: `Rolled back: ${back} ${back === 1 ? 'service' : 'services'}; ${pooled} stay pooled`, tone: 'warn' };
}

export function endScreen(view: View): Body {
  const { snapshot, start, width, glyphs } = view;
  const [first, ...rest] = endLines(snapshot, start, width, glyphs);
  return { lines: scrolled(view, first === undefined ? [] : [first, []], rest, 'home') };
}

/** What happened, in a dozen lines; the same on the screen and in the scrollback. */
function endLines(snapshot: RunSnapshot, start: StartInfo, width: number, glyphs: Glyphs): Line[] {
  const ending =
    snapshot.outcome === undefined
      ? { text: 'The screen was left; the run is not over', tone: 'warn' as const }
      : snapshot.outcome === 'done'
        ? doneWords(snapshot)
        : snapshot.outcome === 'rolled-back'
          ? backWords(snapshot)
          : ENDINGS[snapshot.outcome];
  const glyph = ending.tone === 'ok' ? glyphs.ok : ending.tone === 'bad' ? glyphs.bad : glyphs.warn;
  const count = (state: string) => snapshot.services.filter((service) => service.state === state).length;
  const signs = (['pooled', 'switching', 'rolled-back', 'direct'] as const)
    .filter((state) => count(state) > 0)
    .map((state) => `${count(state)} ${serviceSign(state, glyphs).word}`)
    .join(', ');
  const steps = (state: string) => snapshot.steps.filter((step) => step.state === state);
  const bad = [...steps('fail'), ...steps('inconclusive')];
  const waived = steps('waived');
  return [
    [span(` ${glyph} `, ending.tone), span(ending.text, { tone: ending.tone, bold: true })],
    ...labelled(
      'where',
      `${snapshot.context} / ${snapshot.namespace}${snapshot.rehearsal ? ' (rehearsal)' : ''}`,
      width,
      undefined,
      10,
    ),
    ...labelled(
      'run',
      `${snapshot.runId} by ${snapshot.operator}, ${duration(Date.parse(snapshot.now) - Date.parse(snapshot.startedAt))}`,
      width,
      undefined,
      10,
    ),
    ...(snapshot.outcome === 'parked' && snapshot.endedFor !== undefined && snapshot.error === undefined
      ? labelled('because', snapshot.endedFor, width, 'warn', 10)
      : []),
    ...labelled('services', signs === '' ? 'none' : signs, width, undefined, 10),
    ...snapshot.phases.map((phase): Line => {
      const sign = phaseSign(phase.state, glyphs);
      return [
        span('             '),
        span(`${sign.glyph} `, sign.tone),
        span(padEnd(`${phase.number} ${phase.title}`, 26)),
        span(`${phase.done}/${phase.total} ${sign.word}`, 'muted'),
      ];
    }),
    ...(waived.length === 0 ? [] : labelled('waived', waived.map((step) => step.id).join(', '), width, 'warn', 10)),
    ...bad.flatMap((step) =>
      labelled(
        step.state === 'fail' ? 'failed' : 'unknown',
        `${step.id}${step.cause === undefined ? '' : `: ${step.cause}`}`,
        width,
        step.state === 'fail' ? 'bad' : 'warn',
        10,
      ),
    ),
    ...(snapshot.error === undefined
      ? []
      : [
          ...labelled('error', snapshot.error.message, width, 'bad', 10),
          ...(snapshot.error.cause === undefined ? [] : labelled('cause', snapshot.error.cause, width, undefined, 10)),
          ...(snapshot.error.next ?? []).flatMap((next) => labelled('next', next, width, 'ok', 10)),
        ]),
    ...(snapshot.exportedTo === undefined
      ? []
      : labelled('record', `${snapshot.exportedTo} (record.md, report.html, record.json)`, width, undefined, 10)),
    ...nextLines(snapshot, start, width),
    ...labelled('journal', `${snapshot.journal.path}, ${snapshot.journal.events} events`, width, 'muted', 10),
  ];
}

/** What to do after this run: nothing of it is left to be remembered. */
function nextLines(snapshot: RunSnapshot, start: StartInfo, width: number): Line[] {
  const say = (label: string, text: string) => labelled(label, text, width, 'ok', 10);
  const rollback = `pgb-wizard rollback --run ${snapshot.runId}`;
  const command = start.rehearsal ? 'pgb-wizard rehearse' : 'pgb-wizard';
  switch (snapshot.outcome) {
    case 'done':
      return [
        ...say(
          'next',
          'after 48 h, lower the pools of the applications themselves: the numbers are in record.md under the follow-up',
        ),
        // There is no way back in a cluster that ends now.
        ...(start.rehearsal
          ? say(
              'for real',
              '`pgb-wizard init` looks at your cluster and writes a plan, `pgb-wizard preflight` changes nothing',
            )
          : say('way back', `${rollback} --service NAME (or --phase p4, or --all)`)),
      ];
    case 'rolled-back':
      return say('next', `the cause is in record.md; start again with \`${command} --fresh\` when it is mended`);
    case 'failed':
    case 'gate-failed':
      return say(
        'next',
        `look at the cause, then resume with \`${command} --run ${snapshot.runId}\`${start.rehearsal ? '' : `, or go back: ${rollback} --all`}`,
      );
    default:
      return [];
  }
}

/** The text that is printed once the alternate screen is gone. Pure; without a trailing line feed. */
export function renderEndSummary(
  snapshot: RunSnapshot,
  options: { width?: number; theme?: Theme; ascii?: boolean; start?: StartInfo } = {},
): string {
  const { width = 80, theme = themeOf('none'), ascii = false, start = {} } = options;
  const glyphs = ascii ? ASCII : UNICODE;
  const lines = endLines(snapshot, start, width, glyphs)
    .map((line) => (ascii ? asciiLine(line) : line))
    .map((line) => (lineWidth(line) > width ? fitLine(line, width, glyphs.more) : line));
  return paintLines(
    lines.map((line) => (textOf(line).trim() === '' ? [] : line)),
    theme,
  );
}
