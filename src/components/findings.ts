/** What the doctor found: symptom, cause, the check that was run, what it saw, what to do. */
import type { DoctorFinding } from '../engine/run/model.ts';
import { type Line, paragraph, span, wrapWords } from './line.ts';
import type { Glyphs, Tone } from './theme.ts';

export function findingLines(findings: readonly DoctorFinding[], width: number, glyphs: Glyphs): Line[] {
  return findings.flatMap((finding) => [
    ...paragraph(`${glyphs.warn} ${finding.symptom}`, width - 1, 'title', 1),
    ...labelled('cause', finding.cause, width, undefined),
    ...labelled('checked', finding.check, width, 'muted'),
    ...labelled('seen', finding.observed, width, 'warn'),
    ...labelled('do', finding.fix, width, 'ok'),
    [],
  ]);
}

/** `   cause    text`, wrapped under itself. */
export function labelled(label: string, text: string, width: number, tone: Tone | undefined, labelWidth = 9): Line[] {
  return wrapWords(text, Math.max(8, width - labelWidth - 4)).map((row, index) => [
    span(`   ${(index === 0 ? label : '').padEnd(labelWidth)}`, 'muted'),
    span(row, tone),
  ]);
}
