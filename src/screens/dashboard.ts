/** The step that runs: where it stands in the checklist, what it does and has seen, the pools beneath. */
import { checklist, checklistLine } from '../components/checklist.ts';
import { previewLines } from '../components/diff.ts';
import { evidenceLines, rolloutLines } from '../components/evidence.ts';
import { fitRows, type Line, paragraph, span, truncateMiddle } from '../components/line.ts';
import { poolTable, postgresLine } from '../components/pool-table.ts';
import { stepSign } from '../components/states.ts';
import { rule, split } from './layout.ts';
import type { Body, View } from './screen.ts';

/** Rows of the pools block; a function of the size alone, so that a pool that appears moves nothing. */
export function poolRows(width: number, height: number): number {
  if (height < 14) return 2;
  if (width < 80) return 4;
  return Math.max(4, Math.min(16, Math.floor(height * 0.3)));
}

export function dashboard(view: View): Body {
  const { snapshot, width, height, glyphs } = view;
  const wide = width >= 80;
  const bottom = poolRows(width, height);
  const pools = [
    ...fitRows(poolTable(snapshot.pools, width, bottom - 1, glyphs), bottom - 1),
    postgresLine(snapshot.pools.postgres, width, glyphs),
  ];
  if (!wide) {
    const top = height - bottom - 1;
    return { lines: [checklistLine(snapshot, width, glyphs), ...fitRows(stepPanel(view, width, top), top), ...pools] };
  }
  const left = Math.min(44, Math.max(30, Math.floor(width * 0.37)));
  const top = height - bottom - 1;
  const upper = split(view, left, checklist(snapshot, left, top, glyphs), stepPanel(view, width - left - 1, top), top);
  return { lines: [...upper.lines, rule(width, glyphs, { at: left, glyph: glyphs.up }), ...pools], join: left };
}

/** Title, reason, change, rollout, evidence of the current step; what fits, the evidence before the reason. */
export function stepPanel(view: View, width: number, rows: number): Line[] {
  const { snapshot, glyphs } = view;
  const step = snapshot.steps.find((one) => one.id === snapshot.currentStep);
  if (step === undefined) {
    const text = snapshot.status === 'ended' ? 'The run has ended.' : 'The first step has not begun.';
    return [[span(` ${text}`, 'muted')]];
  }
  const sign = stepSign(step, glyphs);
  const service = snapshot.services.find((one) => one.name === step.service);
  const head: Line = [
    span(` ${sign.glyph} `, sign.tone),
    span(step.guide === '-' ? '' : `${step.guide}  `, 'muted'),
    span(truncateMiddle(step.title, width - 12 - sign.word.length, glyphs.more), 'title'),
    span(`  ${sign.word}`, sign.tone),
  ];
  const why = step.why === undefined ? [] : paragraph(step.why, width - 1, 'muted', 1);
  const change: Line[] = [];
  if (step.preview !== undefined) {
    const moved = step.preview.diff.filter((line) => line.kind === 'remove' || line.kind === 'add');
    change.push(
      ...previewLines(
        { ...step.preview, diff: moved, departures: [], commands: step.preview.commands.slice(0, 1) },
        width,
        glyphs,
      ),
    );
  }
  const rollout = service?.rollout === undefined ? [] : rolloutLines(service.rollout, width, glyphs);
  const seen = evidenceLines(step.evidence, width, glyphs);
  const cause = step.cause === undefined ? [] : paragraph(step.cause, width - 1, 'bad', 1);
  const blocks = [cause, rollout, seen, change, why].map((block) => (block.length > 0 ? block : undefined));
  // Filled by need (cause, rollout, evidence, change, reason), drawn in reading order.
  let room = rows - 1;
  const kept = blocks.map((block) => {
    if (block === undefined || room <= 0) return [];
    const gap = rows > 12 ? 1 : 0;
    const part = block.slice(0, Math.max(0, room - gap));
    room -= part.length + gap;
    return part.length === 0 ? [] : gap === 1 ? [[] as Line, ...part] : part;
  });
  const [causeKept = [], rolloutKept = [], seenKept = [], changeKept = [], whyKept = []] = kept;
  return [head, ...whyKept, ...causeKept, ...changeKept, ...rolloutKept, ...seenKept];
}
