/** The step that runs: where it stands in the checklist, what it does and has seen, the pools beneath. */

import { checklist, checklistLine } from '../components/checklist.ts';
import { previewLines } from '../components/diff.ts';
import { evidenceLines, rolloutBar, rolloutLines } from '../components/evidence.ts';
import { gateLines } from '../components/gates.ts';
import { fitRows, type Line, padEnd, paragraph, span, truncateEnd, truncateMiddle } from '../components/line.ts';
import { poolTable, postgresLine } from '../components/pool-table.ts';
import { guideNumber, type Sign, stepSign } from '../components/states.ts';
import type { DiffLine } from '../engine/run/model.ts';
import { sanitiseLine } from '../engine/sanitise.ts';
import { keyName } from './keys.ts';
import { rule, split } from './layout.ts';
import { courseLines } from './pools.ts';
import type { Body, View } from './screen.ts';

/** Rows of the pools block; a function of the size alone, so that a pool that appears moves nothing. */
export function poolRows(width: number, height: number): number {
  if (height < 14) return 2;
  if (width < 80) return 4;
  if (height >= 44) return 22;
  return Math.max(4, Math.min(10, Math.floor(height * 0.28)));
}

/** Exactly `rows` lines: the pools, on a tall terminal their course too, PostgreSQL's connections last. */
export function poolBlock(view: View, rows: number): Line[] {
  const { snapshot, width, glyphs, history } = view;
  const course = rows >= 20 ? courseLines(history, width, rows - 9, glyphs) : [];
  const table = rows - 1 - course.length;
  return [
    ...fitRows(poolTable(snapshot.pools, width, table, glyphs), table),
    ...course,
    postgresLine(snapshot.pools.postgres, width, glyphs),
  ];
}

export function dashboard(view: View): Body {
  const { snapshot, width, height, glyphs } = view;
  const bottom = poolRows(width, height);
  const pools = poolBlock(view, bottom);
  const top = height - bottom - 1;
  if (width < 80) {
    return { lines: [checklistLine(snapshot, width, glyphs), ...fitRows(stepPanel(view, width, top), top), ...pools] };
  }
  const left = Math.min(44, Math.max(30, Math.floor(width * 0.37)));
  const list = checklist(snapshot, left, top, glyphs);
  const upper = split(view, left, list, stepPanel(view, width - left - 1, top), top);
  return { lines: [...upper.lines, rule(width, glyphs, { at: left, glyph: glyphs.up }), ...pools], join: left };
}

/** Title, reason, change, rollout, evidence of the current step; what fits, the evidence before the reason. */
function stepPanel(view: View, width: number, rows: number): Line[] {
  const { snapshot, glyphs } = view;
  const step = snapshot.steps.find((one) => one.id === snapshot.currentStep);
  if (step === undefined) {
    const begun = snapshot.steps.some((one) => one.state !== 'todo');
    const text =
      snapshot.status === 'ended'
        ? 'The run has ended.'
        : snapshot.status === 'held'
          ? `On hold: ${snapshot.heldFor ?? 'no reason given'}. Nothing is under way.`
          : begun
            ? 'No step is under way.'
            : 'The first step has not begun.';
    return paragraph(text, width - 1, snapshot.status === 'held' ? 'warn' : 'muted', 1);
  }
  // Its step is open, and nothing of it is under way.
  const sign: Sign =
    snapshot.status === 'held' ? { glyph: glyphs.warn, word: 'on hold', tone: 'warn' } : stepSign(step, glyphs);
  const service = snapshot.services.find((one) => one.name === step.service);
  const head: Line = [
    span(` ${sign.glyph} `, sign.tone),
    span(guideNumber(step) === '' ? '' : `${guideNumber(step)}  `, 'muted'),
    span(truncateMiddle(step.title, width - 12 - sign.word.length, glyphs.more), 'title'),
    span(`  ${sign.word}`, sign.tone),
  ];
  const why = step.why === undefined ? [] : paragraph(step.why, width - 1, 'muted', 1);
  const change: Line[] = [];
  let summary = 0;
  if (step.preview !== undefined) {
    summary = paragraph(step.preview.summary, width - 1, undefined, 1).length;
    change.push(
      ...previewLines(
        {
          ...step.preview,
          diff: inShort(step.preview.diff),
          departures: [],
          commands: step.preview.commands.slice(0, 1),
        },
        width,
        glyphs,
      ),
    );
  }
  // After its switch a service's rollout is history; while its pools are watched, the gates are what one looks at.
  const rollout =
    service?.rollout === undefined || step.kind !== 'change' ? [] : rolloutLines(service.rollout, width, glyphs);
  const watched =
    step.state === 'running' && step.kind !== 'change' && snapshot.gates.length > 0
      ? gateLines(snapshot.gates, width, glyphs)
      : [];
  const seen = [...evidenceLines(step.evidence, width, glyphs, step.service), ...watched];
  const cause = step.cause === undefined ? [] : paragraph(step.cause, width - 1, 'bad', 1);
  const held =
    snapshot.status === 'held'
      ? paragraph(
          `${glyphs.warn} On hold: ${snapshot.heldFor ?? 'no reason given'}. ${keyName(view.keymap.hold[0] ?? '')} lets it go on.`,
          width - 1,
          'warn',
          1,
        )
      : [];
  const blocks = [
    [...held, ...cause],
    [...rollout, ...othersSwitching(view, step.service, width)],
    seen,
    change,
    why,
    logTail(view, width),
  ].map((block) => (block.length > 0 ? block : undefined));
  // Filled by need (cause, rollout, evidence, change, reason), drawn in reading order.
  let room = rows - 1;
  const kept = blocks.map((block) => {
    if (block === undefined || room <= 0) return [];
    const gap = rows > 12 ? 1 : 0;
    const space = Math.max(0, room - gap);
    // A sentence comes as a whole or not at all; of more observations than fit, the newest.
    const least = block === why ? block.length : block === change ? summary : 1;
    if (space < least) return [];
    const part = block === seen ? newest(block, space) : wholeRows(block, space);
    room -= part.length + gap;
    return part.length === 0 ? [] : gap === 1 ? [[] as Line, ...part] : part;
  });
  const [causeKept = [], rolloutKept = [], seenKept = [], changeKept = [], whyKept = [], logKept = []] = kept;
  return [head, ...whyKept, ...causeKept, ...changeKept, ...rolloutKept, ...seenKept, ...logKept];
}

/** What goes and comes; of a change of many objects or services, only which. */
function inShort(diff: readonly DiffLine[]): DiffLine[] {
  const moved = diff.filter(({ kind }) => kind === 'remove' || kind === 'add');
  const titles = diff.filter(({ kind }) => kind === 'title');
  return titles.length > 1 ? titles : moved;
}

/** The first rows, without half a sentence, half a command, or a heading of nothing at their end. */
function wholeRows(block: readonly Line[], rows: number): readonly Line[] {
  if (block.length <= rows) return block;
  const goesOn = (line: Line | undefined) => line?.[0]?.text.trim() === '' && line[0].text.length > 1;
  let end = rows;
  while (end > 0 && goesOn(block[end])) end--;
  // What goes away without what comes instead is not the change.
  while (end > 0 && block[end - 1]?.[0]?.tone === 'remove') end--;
  while (
    end > 0 &&
    (block[end - 1]?.length === 0 || (block[end - 1]?.length === 1 && block[end - 1]?.[0]?.tone === 'title'))
  )
    end--;
  return block.slice(0, end);
}

/** The last rows, from the beginning of an observation on: what was seen without its check says nothing. */
function newest(block: readonly Line[], rows: number): readonly Line[] {
  const part = block.slice(Math.max(0, block.length - rows));
  const first = part.findIndex((line) => line[0]?.text.trim() !== '');
  return part.slice(Math.max(0, first));
}

/** A batch moves several services at once: one row for each of the others. */
function othersSwitching(view: View, own: string | undefined, width: number): Line[] {
  const { snapshot, glyphs } = view;
  if (own === undefined) return [];
  const others = snapshot.services.filter(
    (one) => one.state === 'switching' && one.name !== own && one.rollout !== undefined,
  );
  return others.map((one): Line => {
    const { updated = 0, available = 0, desired = 0 } = one.rollout ?? {};
    const name = truncateMiddle(one.name, Math.max(10, Math.min(24, width - 40)), glyphs.more);
    return [
      span(` ${padEnd(name, Math.max(10, Math.min(24, width - 40)))} `),
      span(one.rollout === undefined ? '' : rolloutBar(one.rollout, 10, glyphs), 'info'),
      span(` ${updated}/${desired} updated ${glyphs.dot} ${available}/${desired} available`, 'muted'),
    ];
  });
}

/** The newest log lines, where there is room for at least a few. */
function logTail(view: View, width: number): Line[] {
  const { snapshot, glyphs } = view;
  if (view.height < 36 || snapshot.logLines.length === 0) return [];
  return [
    [span(' log', 'title'), span(`  ${snapshot.logLines[snapshot.logLines.length - 1]?.source ?? ''}`, 'muted')],
    ...snapshot.logLines
      .slice(-6)
      .map((row): Line => [span(` ${truncateEnd(sanitiseLine(row.text), width - 2, glyphs.more)}`, 'muted')]),
  ];
}
