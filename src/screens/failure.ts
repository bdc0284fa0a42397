/** A step that failed: cause, what to do, what was found, the last words of the log, the ways on. */
import { findingLines, labelled } from '../components/findings.ts';
import { type Line, paragraph, span, wrapWords } from '../components/line.ts';
import type { Ask, FailureAnswer } from '../engine/run/model.ts';
import type { ActionId } from './actions.ts';
import { keyName } from './keys.ts';
import { type Body, isBack, type View } from './screen.ts';
import { scrolled } from './scrolled.ts';

/** The ways on by key; three scopes of rollback are one key and then a choice. */
function waysOf(
  options: readonly FailureAnswer['action'][],
  back: boolean,
): { readonly action: ActionId; readonly text: string }[] {
  const scopes = [
    ...(options.includes('rollback-service') ? ['this service'] : []),
    ...(options.includes('rollback-phase') ? ['the phase'] : []),
    ...(options.includes('rollback-all') ? ['everything'] : []),
  ];
  return [
    ...(options.includes('retry')
      ? [{ action: 'retry' as const, text: back ? 'switch it again' : 'try this step again' }]
      : []),
    ...(scopes.length > 0 ? [{ action: 'rollback' as const, text: `roll back: ${scopes.join(', ')}` }] : []),
    ...(options.includes('waive')
      ? [
          {
            action: 'waive' as const,
            text: back ? 'go on without it, with a reason for the record' : 'waive it, with a reason for the record',
          },
        ]
      : []),
    { action: 'leave' as const, text: 'leave: nothing is undone, it can be resumed' },
  ];
}

export function failureScreen(view: View, ask: Extract<Ask, { kind: 'failure' }>): Body {
  const { width, glyphs, keymap } = view;
  const unknown = ask.verdict === 'inconclusive';
  const head: Line[] = [
    [
      span(` ${unknown ? glyphs.unknown : glyphs.bad} `, unknown ? 'warn' : 'bad'),
      span(unknown ? 'Could not measure: ' : 'FAILED: ', unknown ? 'warn' : 'bad'),
      span(ask.title, 'title'),
    ],
  ];
  const back = isBack(view.snapshot);
  const content: Line[] = [
    ...(back
      ? [
          ...paragraph(
            `${glyphs.ok} ${ask.service} is back on PostgreSQL, with its original value and its original pods.`,
            width - 1,
            'ok',
            1,
          ),
          [] as Line,
        ]
      : []),
    ...labelled('cause', ask.cause, width, unknown ? 'warn' : 'bad'),
    // What to do was to roll it back, and that is done: the ways on say the rest.
    ...(back ? [] : labelled('do', ask.hint, width, 'ok')),
    [],
    ...waysOf(ask.options, back).flatMap((way) =>
      wrapWords(way.text, width - 13).map(
        (row, index): Line => [
          span(`   ${(index === 0 ? keyName(keymap[way.action][0] ?? '') : '').padEnd(9)}`, 'key'),
          span(row),
        ],
      ),
    ),
    ...(ask.findings.length === 0
      ? []
      : [[], [span(' what the doctor found', 'title')] as Line, ...findingLines(ask.findings, width, glyphs)]),
    ...(ask.logTail.length === 0
      ? []
      : [
          [span(' last lines of the log', 'title')] as Line,
          ...ask.logTail.flatMap((row) =>
            wrapWords(row, width - 3).map((part) => [span(`  ${part}`, 'muted')] as Line),
          ),
        ]),
    ...(ask.findings.length === 0 && ask.logTail.length === 0
      ? paragraph('No finding and no log line came with it.', width - 1, 'muted', 1)
      : []),
  ];
  return { lines: scrolled(view, head, content, ask.id) };
}
