/** The left panel: phases, and the units of the phase that is running. */
import type { PhaseView, RunSnapshot, ServiceView, StepView } from '../engine/run/model.ts';
import { type Line, lineWidth, padEnd, span, spread, truncateMiddle } from './line.ts';
import { phaseSign, serviceSign, stepSign } from './states.ts';
import type { Glyphs } from './theme.ts';
import { windowAround } from './window.ts';

interface Entry {
  readonly line: Line;
  readonly current: boolean;
}

function phaseLine(phase: PhaseView, glyphs: Glyphs, width: number): Line {
  const sign = phaseSign(phase.state, glyphs);
  const tone = phase.state === 'todo' ? undefined : sign.tone;
  return spread(
    [
      span(` ${sign.glyph} `, sign.tone),
      span(
        truncateMiddle(`${phase.number} ${phase.title}`, width - 11),
        phase.state === 'running' ? 'title' : undefined,
      ),
    ],
    [span(`${phase.done}/${phase.total}`, tone), span('  ')],
    width,
  );
}

/** What a step is called inside its phase: a service's name says it all in the phases that go by service. */
function unitsOf(phase: PhaseView, snapshot: RunSnapshot, glyphs: Glyphs, width: number): Entry[] {
  const inPhase = (step: StepView) => step.phase === phase.id;
  const services = snapshot.services.filter((service) => service.phase === phase.id);
  const current = snapshot.steps.find((step) => step.id === snapshot.currentStep);
  const room = width - 8;
  // Looked up, not searched for: a fleet of 500 services has 1500 steps.
  const failed = new Set(snapshot.steps.filter((step) => step.state === 'fail').map((step) => step.service));
  const ended = snapshot.status === 'ended';
  const entries: Entry[] = services.map((service) =>
    serviceEntry(
      service,
      {
        failed: failed.has(service.name),
        // A batch has one step and several services that move.
        current: !ended && (current?.service === service.name || service.state === 'switching'),
      },
      glyphs,
      room,
    ),
  );
  for (const step of snapshot.steps) {
    if (!inPhase(step) || step.service !== undefined) continue;
    const sign = stepSign(step, glyphs);
    entries.push({
      line: [span(`     ${sign.glyph} `, sign.tone), span(truncateMiddle(step.title, room))],
      current: step.id === current?.id,
    });
  }
  return entries;
}

function serviceEntry(
  service: ServiceView,
  { failed, current }: { failed: boolean; current: boolean },
  glyphs: Glyphs,
  room: number,
): Entry {
  const sign = serviceSign(service.state, glyphs);
  const running = current && service.state !== 'rolled-back';
  const glyph = failed ? glyphs.bad : running ? glyphs.running : sign.glyph;
  const tone = failed ? 'bad' : running ? 'info' : sign.tone;
  return {
    line: [span(`     ${glyph} `, tone), span(truncateMiddle(service.name, room), current ? 'title' : undefined)],
    current,
  };
}

/** Exactly the phases, with the running phase opened; a window around the current unit when there is no room. */
export function checklist(snapshot: RunSnapshot, width: number, rows: number, glyphs: Glyphs): Line[] {
  const open =
    snapshot.phases.find((phase) => phase.state === 'running') ??
    snapshot.phases.find((phase) => phase.state === 'failed') ??
    snapshot.phases.find((phase) => phase.state === 'todo');
  const entries: Entry[] = [];
  const room = rows - snapshot.phases.length;
  for (const phase of snapshot.phases) {
    entries.push({ line: phaseLine(phase, glyphs, width), current: false });
    if (phase !== open || room < 1) continue;
    const units = unitsOf(phase, snapshot, glyphs, width);
    if (units.length <= room) {
      entries.push(...units);
      continue;
    }
    const at = Math.max(
      0,
      units.findIndex((unit) => unit.current),
    );
    const { start, end, above, below } = windowAround(at, units.length, room);
    const shown = units.slice(start, end);
    if (above > 0) shown[0] = { line: hidden(glyphs.scrollUp, above + 1), current: false };
    if (below > 0 && shown.length > 1)
      shown[shown.length - 1] = { line: hidden(glyphs.scrollDown, below + 1), current: false };
    entries.push(...shown);
  }
  return entries.slice(0, rows).map((entry) => entry.line);
}

function hidden(glyph: string, count: number): Line {
  return [span(`     ${glyph} ${count} more`, 'muted')];
}

/** The checklist in one line, for a narrow terminal. */
export function checklistLine(snapshot: RunSnapshot, width: number, glyphs: Glyphs): Line {
  const lineOf = (counted: (phase: PhaseView) => boolean): Line =>
    snapshot.phases.flatMap((phase) => {
      const sign = phaseSign(phase.state, glyphs);
      return [
        span(` ${sign.glyph}`, sign.tone),
        span(`${phase.number}`, phase.state === 'running' ? 'title' : undefined),
        span(counted(phase) ? ` ${phase.done}/${phase.total} ` : ' ', 'muted'),
      ];
    });
  // Whole phases: what is done counts nothing any more, then what is to come.
  const line =
    [() => true, (phase: PhaseView) => phase.state !== 'done', (phase: PhaseView) => phase.state === 'running']
      .map(lineOf)
      .find((one) => lineWidth(one) <= width) ?? lineOf(() => false);
  return line.length === 0 ? [span(padEnd('', width))] : line;
}
