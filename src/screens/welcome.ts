/** Before the first question of a new run: what was looked at, what is going to happen, what can always be done. */
import { latestByCheck } from '../components/evidence.ts';
import { labelled } from '../components/findings.ts';
import { duration } from '../components/format.ts';
import { type Line, padEnd, paragraph, span, truncateEnd } from '../components/line.ts';
import { verdictSign } from '../components/states.ts';
import { keyName } from './keys.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function welcomeScreen(view: View): Body {
  const { snapshot, width, height, glyphs, keymap } = view;
  // Where every row counts, blank ones don't, and the footer names the keys.
  const gap: Line[] = height < 20 ? [] : [[]];
  const key = (id: 'begin' | 'leave' | 'hold' | 'rollback' | 'plan' | 'preflight') => keyName(keymap[id][0] ?? '');
  const looked = snapshot.steps.find((step) => step.id === 'preflight');
  const found = latestByCheck(looked?.evidence ?? []);
  const open = found.filter((one) => one.verdict !== 'pass');
  const took = Date.parse(looked?.finishedAt ?? snapshot.now) - Date.parse(looked?.startedAt ?? snapshot.startedAt);
  const services = snapshot.services.length;
  const head: Line[] = [
    [
      span(
        width < 56 ? ` ${services} services to PgBouncer` : ` ${services} services from PostgreSQL to PgBouncer`,
        'title',
      ),
      span(`   ${snapshot.context} / ${snapshot.namespace}`, 'muted'),
    ],
    ...gap,
  ];
  const content: Line[] = [
    ...paragraph(
      `${open.length === 0 ? glyphs.ok : glyphs.warn} Preflight: ${found.length - open.length} of ${found.length} checks pass (${duration(took)}). Nothing has been changed yet.`,
      width - 1,
      open.length === 0 ? 'ok' : 'warn',
      1,
    ),
    ...open.flatMap((one): Line[] => [
      [
        span('   '),
        span(`${verdictSign(one.verdict, glyphs).glyph} ${one.check}`, verdictSign(one.verdict, glyphs).tone),
      ],
      ...labelled('', one.observed, width, 'muted', 2),
    ]),
    ...gap,
    ...snapshot.phases
      .filter((phase) => phase.id !== 'preflight')
      .map((phase): Line => {
        const named = snapshot.services.filter((one) => one.phase === phase.id).map((one) => one.name);
        const what = named.length > 0 ? named : (WHAT[phase.id] ?? []);
        return [
          span(` ${phase.number} `, 'key'),
          span(padEnd(phase.title, 22)),
          span(wholeItems(what, Math.max(0, width - 26), glyphs.more), 'muted'),
        ];
      }),
    ...gap,
    ...paragraph(
      'Every change is shown before it is made: the diff, the same by hand, and where it departs from the guide. After phases 2 and 3 you decide, with live gates.',
      width - 1,
      undefined,
      1,
    ),
    ...paragraph(
      `At any time: ${key('hold')} holds, ${key('rollback')} rolls back, ${key('leave')} leaves a run that can be resumed. A closed terminal loses nothing.`,
      width - 1,
      undefined,
      1,
    ),
    ...(snapshot.rehearsal && snapshot.timeScale !== 1
      ? paragraph(
          `This is a rehearsal: real PostgreSQL, real PgBouncer, a simulated Kubernetes. Waiting passes ${snapshot.timeScale} times faster.`,
          width - 1,
          'info',
          1,
        )
      : []),
    ...gap,
    ...(gap.length === 0
      ? []
      : [
          [
            span(` ${key('begin')}`, 'key'),
            span(' shows the first change   '),
            span(key('plan'), 'key'),
            span(' every step   '),
            span(key('preflight'), 'key'),
            span(' findings'),
          ],
        ]),
  ];
  return { lines: scrolled(view, head, content, 'welcome') };
}

const WHAT: Readonly<Record<string, readonly string[]>> = {
  p1: ['credentials', 'Secret', 'pooler pods', 'connectivity', 'originals kept'],
  p5: ['whole system', 'pgbench against the baseline', 'record'],
  post: ['pool sizes to come down to, after 48 h'],
};

/** As many items as fit, none of them cut; `…` where there are more. */
function wholeItems(items: readonly string[], cells: number, more: string): string {
  const all = items.join(', ');
  if (all.length <= cells) return all;
  let kept = items.length - 1;
  while (kept > 0 && items.slice(0, kept).join(', ').length + 2 + more.length > cells) kept--;
  return kept === 0 ? truncateEnd(all, cells, more) : `${items.slice(0, kept).join(', ')}, ${more}`;
}
