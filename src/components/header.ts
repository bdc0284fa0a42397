/** The first row: where you are, in what, for how long. */
import type { RunSnapshot } from '../engine/run/model.ts';
import { clockTime } from './format.ts';
import { type Line, lineWidth, span, spread, truncateMiddle } from './line.ts';
import { isHeld } from './states.ts';
import type { Glyphs } from './theme.ts';

/** What does not fit is left out, the least needed first: the run's id, the operator, the product. */
export function header(snapshot: RunSnapshot, now: number, width: number, glyphs: Glyphs): Line {
  const phase =
    snapshot.phases.find((one) => one.state === 'running') ?? snapshot.phases.find((one) => one.state === 'failed');
  const where = truncateMiddle(
    `${snapshot.context} / ${snapshot.namespace}`,
    Math.max(16, Math.floor(width * 0.34)),
    glyphs.more,
  );
  const done = snapshot.phases.length > 0 && snapshot.phases.every((one) => one.state === 'done');
  const status =
    statusWord(snapshot) ?? (done ? 'all phases done' : phase ? phaseWords(phase, snapshot, width) : 'starting');
  const tone = snapshot.status === 'rolling-back' || isHeld(snapshot) ? 'warn' : 'title';
  const place: Line = [span(where, 'title')];
  const scale = snapshot.timeScale > 1 ? ` ${glyphs.ascii ? 'x' : '×'}${snapshot.timeScale}` : '';
  const time: Line = [
    span(status, tone),
    span(`  ${clockTime(now - Date.parse(snapshot.startedAt))}${width < 60 ? '' : ' '}`),
  ];
  const rehearsal = (text: string): Line => (snapshot.rehearsal ? [span(text, 'accent'), span('  ')] : []);
  // Where one is comes first; that time passes faster is known to whoever asked for it.
  const right = [`rehearsal${scale}`, 'rehearsal', scale.trim(), '']
    .map((text): Line => [...(text === '' ? [] : rehearsal(text)), ...time])
    .find((line, index) => index === 3 || lineWidth(line) + lineWidth(place) + 2 <= width) as Line;
  // A blank before it and one behind it, whatever the run says of itself.
  const least = width - lineWidth(right) - 2;
  const fitting: Line = lineWidth(place) <= least ? place : [span(truncateMiddle(where, least, glyphs.more), 'title')];
  const room = width - lineWidth(right) - lineWidth(fitting) - 2;
  const product = ' pgb-wizard  ';
  const left: Line = [...(room >= product.length ? [span(product, 'info')] : [span(' ')]), ...fitting];
  const who = `run ${snapshot.runId} ${glyphs.dot} ${snapshot.operator}  `;
  const space = width - lineWidth(left) - lineWidth(right) - 4;
  const middle: Line =
    space >= who.length
      ? [span(who, 'muted')]
      : space >= snapshot.runId.length + 6
        ? [span(`run ${snapshot.runId}  `, 'muted')]
        : [];
  return spread(left, [...middle, ...right], width);
}

function statusWord(snapshot: RunSnapshot): string | undefined {
  if (snapshot.status !== 'ended' && snapshot.currentStep === 'preflight') return 'Preflight';
  if (snapshot.status === 'rolling-back') return 'ROLLING BACK';
  // Also while something is asked: whoever asked for it sees that it holds.
  if (isHeld(snapshot)) return 'ON HOLD';
  if (snapshot.status === 'ended')
    return snapshot.outcome === 'done' ? 'DONE' : `ENDED: ${snapshot.outcome?.replace('-', ' ') ?? 'unknown'}`;
  return undefined;
}

/** The guide counts five phases; what comes before and after them goes by its title. */
function phaseWords(phase: RunSnapshot['phases'][number], snapshot: RunSnapshot, width: number): string {
  const counted = snapshot.phases.filter((one) => /^p\d+$/.test(one.id));
  if (!counted.includes(phase)) return phase.title;
  return width < 48 ? `Phase ${phase.number}/${counted.length}` : `Phase ${phase.number} of ${counted.length}`;
}
