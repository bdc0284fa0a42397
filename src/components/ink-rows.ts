/**
 * A short way through Ink for frames that are rows already. Ink composes every frame from single cells, so that boxes may
 * overlap and be clipped: 12,000 objects for 200 x 60, taken apart and put together again for each key. Rows that span
 * the frame, one text each, need none of it. The build puts this in front of Ink's own way (scripts/build/plugins.mjs);
 * whatever is not such a frame takes Ink's own way.
 */

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

/** Ink leaves out what is invisible, and a line feed or a tab makes more of a row than one. */
const PLAIN = /^[^\n\t\p{Default_Ignorable_Code_Point}]*$/u;

/** The frame, when it is one text a row at the left edge; undefined when Ink has to compose it. */
export function rowsOf({ operations, height }: Drawing): { output: string; height: number } | undefined {
  const rows = new Array<string | undefined>(height);
  for (const { type, x, y, text, transformers = [] } of operations) {
    if (type !== 'write' || x !== 0 || y === undefined || text === undefined) return undefined;
    if (!(y >= 0 && y < height) || rows[y] !== undefined || !PLAIN.test(text)) return undefined;
    rows[y] = transformers.reduce((drawn, transform) => transform(drawn, 0), text).trimEnd();
  }
  return { output: Array.from(rows, (row) => row ?? '').join('\n'), height };
}

const REMEMBERED = 2000;

/** A measure that remembers: of a frame's rows few are new. */
export function remembering(measure: (text: string) => number): (text: string) => number {
  const known = new Map<string, number>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const width = measure(text);
    if (known.size >= REMEMBERED) known.clear();
    known.set(text, width);
    return width;
  };
}
