/** A change as text, marked as `diff` marks it. */
import type { DiffLine } from '../engine/run/model.ts';

const SIGN: Readonly<Record<DiffLine['kind'], string>> = { title: '#', context: ' ', remove: '-', add: '+', note: '#' };

/** One line each, behind its mark. */
export const diffText = (diff: readonly DiffLine[]): string[] => diff.map(({ kind, text }) => `${SIGN[kind]} ${text}`);
