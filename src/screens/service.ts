/** Every service with its state and connections; the selected one with its rollout and steps. */
import { evidenceLines, rolloutLines } from '../components/evidence.ts';
import { compact } from '../components/format.ts';
import { fitRows, type Line, padEnd, padStart, paragraph, span, truncateMiddle } from '../components/line.ts';
import { guideNumber, serviceSign, stepSign } from '../components/states.ts';
import { windowAround } from '../components/window.ts';
import type { ServiceView } from '../engine/run/model.ts';
import { rule, split } from './layout.ts';
import { firstSelected } from './press.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function serviceScreen(view: View): Body {
  const { snapshot, ui, width, height, glyphs } = view;
  const services = snapshot.services;
  const selected = Math.min(ui.selected.services ?? firstSelected('services', snapshot), services.length - 1);
  const current = services[selected];
  if (current === undefined) return { lines: [[span(' The plan names no service.', 'muted')]] };
  if (ui.detail) {
    const [head = [], ...rest] = detailOf(view, current, width);
    return { lines: scrolled(view, [head], rest, 'services.detail') };
  }
  const wide = width >= 96;
  const listWidth = wide ? Math.min(76, Math.floor(width * 0.58)) : width;
  const listRows = wide ? height : Math.max(4, Math.floor(height * 0.5));
  const list = listOf(view, selected, listWidth, listRows);
  if (wide) return split(view, listWidth, list, detailOf(view, current, width - listWidth - 1));
  const rest = height - listRows - 1;
  return { lines: [...fitRows(list, listRows), rule(width, glyphs), ...fitRows(detailOf(view, current, width), rest)] };
}

function listOf(view: View, selected: number, width: number, rows: number): Line[] {
  const { snapshot, glyphs } = view;
  const services = snapshot.services;
  const { start, end } = windowAround(selected, services.length, rows - 1);
  const pods = width >= 64;
  // On the smallest terminal the state says whether it is direct or pooled.
  const counts = width >= 48;
  const name = Math.max(8, width - (pods ? 43 : counts ? 38 : 22));
  const pooled = services.filter((one) => one.state === 'pooled').length;
  return [
    [
      span(
        ` ${padEnd(`Services ${glyphs.dot} ${pooled} of ${services.length} pooled`, name + 8, glyphs.more)}`,
        'title',
      ),
      span(padEnd('state', 12), 'muted'),
      span(pods ? padStart('pods', 5) : '', 'muted'),
      span(counts ? padStart('direct', 8) : '', 'muted'),
      span(counts ? padStart('pooled', 8) : '', 'muted'),
    ],
    ...services.slice(start, end).map((service, index): Line => {
      const sign = serviceSign(service.state, glyphs);
      const chosen = start + index === selected;
      return [
        span(chosen ? ` ${glyphs.select} ` : '   ', 'key'),
        span(`${sign.glyph} `, sign.tone),
        span(padEnd(truncateMiddle(service.name, name, glyphs.more), name), chosen ? 'title' : undefined),
        span(` ${service.phase} `, 'muted'),
        span(padEnd(sign.word, 12), sign.tone),
        span(pods ? padStart(compact(service.replicas), 5) : ''),
        span(
          counts ? padStart(compact(service.direct), 8) : '',
          service.state === 'pooled' && (service.direct ?? 0) > 0 ? 'warn' : undefined,
        ),
        span(counts ? padStart(compact(service.pooled), 8) : ''),
      ];
    }),
  ];
}

function detailOf(view: View, service: ServiceView, width: number): Line[] {
  const { snapshot, glyphs } = view;
  const steps = snapshot.steps.filter((step) => step.service === service.name);
  return [
    [span(` ${truncateMiddle(service.name, width - 4, glyphs.more)}`, 'title'), span(`  ${service.workload}`, 'muted')],
    ...(service.rollout === undefined
      ? []
      : rolloutLines(service.rollout, width, glyphs, service.state === 'pooled' || service.state === 'rolled-back')),
    ...steps.flatMap((step): Line[] => {
      const sign = stepSign(step, glyphs);
      return [
        [
          span(` ${sign.glyph} `, sign.tone),
          span(padEnd(guideNumber(step), 5), 'muted'),
          span(
            padEnd(
              truncateMiddle(step.title, Math.max(8, width - 18), glyphs.more),
              Math.max(8, Math.min(60, width - 18)),
            ),
          ),
          span(` ${sign.word}`, sign.tone),
        ],
        ...evidenceLines(step.evidence, width - 4, glyphs, service.name).map((row): Line => [span('    '), ...row]),
        ...(step.cause === undefined ? [] : paragraph(step.cause, width - 1, 'bad', 4)),
      ];
    }),
  ];
}
