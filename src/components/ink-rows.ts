/**
 * A short way through Ink for frames that are rows already. Ink composes every frame from single cells, so that boxes may
 * overlap and be clipped: 12,000 objects for 200 x 60, taken apart and put together again for each key. Rows that span
 * the frame, one text each, need none of it, and text that holds nothing but simple characters and colours need not be
 * tokenised to be measured, nor taken apart to find where it differs from what stands on the screen. The build puts this in front of Ink's own way (scripts/build/plugins.mjs); whatever is not such a
 * frame or text takes Ink's own way.
 */
import { SIMPLE_CELLS } from './cells.ts';

interface Operation {
  readonly type: string;
  readonly x?: number;
  readonly y?: number;
  readonly text?: string;
  readonly transformers?: readonly ((text: string, line: number) => string)[];
}

/** Of Ink's `Output`. */
export interface Drawing {
  readonly operations: readonly Operation[];
  readonly height: number;
}

/** Ink leaves out what is invisible, and a tab is more cells than one. */
const PLAIN = /^[^\t\p{Default_Ignorable_Code_Point}]*$/u;

/** The frame, when it is made of whole rows; undefined when Ink has to compose it. */
export function rowsOf({ operations, height }: Drawing): { output: string; height: number } | undefined {
  const rows: string[] = [];
  for (const { type, x, y, text, transformers = [] } of operations) {
    // From top to bottom, one after the other, nothing beside or above another.
    if (type !== 'write' || x !== 0 || y !== rows.length || text === undefined || !PLAIN.test(text)) return undefined;
    for (const [index, row] of text.split('\n').entries()) {
      rows.push(transformers.reduce((drawn, transform) => transform(drawn, index), row).trimEnd());
    }
  }
  return rows.length === height ? { output: rows.join('\n'), height } : undefined;
}

const SGR = /\u001b\[[\d;]*m/g;
/** Simple characters and the colours that `paintLine` writes. Unrolled, so that a text that does not match costs no more. */
const PAINTED = new RegExp(`^${SIMPLE_CELLS}*(?:(?:\u001b\\[[\\d;]*m|\n)${SIMPLE_CELLS}*)*$`);

/** A row without colours of which every code unit is a cell, and a character of its own: nothing joins with its neighbour. */
export const SIMPLE_ROW = new RegExp(`^${SIMPLE_CELLS}*$`);

/** A frame as we paint nearly all of them: nothing in it needs to be looked at character by character. */
export function isPainted(text: string): boolean {
  return PAINTED.test(text);
}

/** `measure` (string-width) for what needs it; of a painted row the cells are its characters. */
export function quickly<Options>(
  measure: (text: string, options?: Options) => number,
): (text: string, options?: Options) => number {
  return (text, options) =>
    options === undefined && !text.includes('\n') && isPainted(text)
      ? text.replace(SGR, '').length
      : measure(text, options);
}
