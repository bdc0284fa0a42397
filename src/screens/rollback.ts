/** The way back: choose a scope, confirm what is put back, watch it, see the proof. */
import { previewLines } from '../components/diff.ts';
import { rolloutLines } from '../components/evidence.ts';
import { compact } from '../components/format.ts';
import { type Line, padEnd, paragraph, span, truncateMiddle } from '../components/line.ts';
import { serviceSign } from '../components/states.ts';
import { windowAround } from '../components/window.ts';
import type { Ask } from '../engine/run/model.ts';
import { scopeWords } from './intents.ts';
import { type Body, rollbackScopes, type View } from './screen.ts';
import { scrolled } from './scrolled.ts';

/** The picker; choosing asks the engine, which asks back with the diff and for the name. */
export function rollbackScreen(view: View): Body {
  const { snapshot, ui, height, width, glyphs } = view;
  const scopes = rollbackScopes(snapshot);
  const head: Line[] = [
    [span(` ${glyphs.back} `, 'warn'), span('Roll back: what?', 'title')],
    ...paragraph(
      'The original values come back to the byte, the last service first, each verified.',
      width - 1,
      'muted',
      1,
    ),
    [],
  ];
  if (scopes.length === 0)
    return { lines: [...head, [span(' No service has been moved: there is nothing to roll back.')]] };
  const selected = Math.min(ui.selected.rollback ?? 0, scopes.length - 1);
  const { start, end } = windowAround(selected, scopes.length, Math.max(1, height - head.length));
  const rows = scopes.slice(start, end).map((scope, index): Line => {
    const chosen = start + index === selected;
    const members =
      scope.kind === 'service'
        ? []
        : snapshot.services.filter(
            (one) =>
              (one.state === 'pooled' || one.state === 'switching') &&
              (scope.kind === 'all' || one.phase === scope.phase),
          );
    const service = scope.kind === 'service' ? snapshot.services.find((one) => one.name === scope.service) : undefined;
    const note =
      service === undefined
        ? `${members.length} ${members.length === 1 ? 'service' : 'services'}`
        : serviceSign(service.state, glyphs).word;
    return [
      span(chosen ? ` ${glyphs.select} ` : '   ', 'key'),
      span(
        padEnd(truncateMiddle(scopeWords(scope), 34, glyphs.more), Math.min(36, width - 18)),
        chosen ? 'title' : undefined,
      ),
      span(note, 'muted'),
    ];
  });
  return { lines: [...head, ...rows] };
}

/** The engine's question: these services, this diff, this name to type. */
export function rollbackAskScreen(view: View, ask: Extract<Ask, { kind: 'rollback' }>): Body {
  const { width, glyphs } = view;
  const head: Line[] = [[span(` ${glyphs.back} `, 'warn'), span(ask.title, 'title')]];
  const order = `order: ${ask.services.join(` ${glyphs.ascii ? '>' : '→'} `)}`;
  const content: Line[] = [
    ...paragraph(order, width - 1, undefined, 1),
    [],
    ...previewLines(ask.preview, width, glyphs),
    [],
    [span(` ${glyphs.warn} approving asks for the typed name ${ask.typed}`, 'warn')],
  ];
  return { lines: scrolled(view, head, content, ask.id) };
}

/** Every service that was moved, and where it stands on its way back. */
export function rollbackProgressScreen(view: View): Body {
  const { snapshot, width, glyphs } = view;
  // In the order of the way back: the last service first.
  const concerned = snapshot.services.filter((one) => one.state !== 'direct').reverse();
  const back = concerned.filter((one) => one.state === 'rolled-back').length;
  const head: Line[] = [
    [
      span(` ${glyphs.back} `, 'warn'),
      span('Rolling back', 'title'),
      span(`   ${back} of ${concerned.length} moved services are back`, 'muted'),
    ],
  ];
  const steps = snapshot.steps.filter((step) => step.phase === 'rollback');
  // Behind it: the sign, its word, and both counts.
  const counts = width >= 52;
  const name = Math.max(8, Math.min(32, width - (counts ? 39 : 16)));
  const content = concerned.flatMap((service): Line[] => {
    const sign = serviceSign(service.state, glyphs);
    const step = steps.find((one) => one.service === service.name);
    const proof = step?.evidence.map((one) => `${one.check}: ${one.observed}`).join('; ');
    return [
      [
        span(` ${sign.glyph} `, sign.tone),
        span(padEnd(truncateMiddle(service.name, name - 1, glyphs.more), name)),
        span(padEnd(sign.word, 12), sign.tone),
        span(
          counts ? `direct ${compact(service.direct)} ${glyphs.dot} pooled ${compact(service.pooled)}` : '',
          'muted',
        ),
      ],
      ...(service.rollout !== undefined && service.state === 'switching'
        ? rolloutLines(service.rollout, width - 3, glyphs).map((row): Line => [span('   '), ...row])
        : []),
      ...(proof === undefined || proof === '' ? [] : paragraph(`proof: ${proof}`, width - 3, 'muted', 3)),
    ];
  });
  return { lines: scrolled(view, head, content, 'home') };
}
