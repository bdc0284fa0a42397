/** Ways in which a file of JSON lines or a JSON file goes wrong. Each takes the bytes and gives the damaged ones. */
import type { Random } from './random.ts';

export interface Damage {
  readonly kind: string;
  readonly bytes: Buffer;
}

const cat = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);

/** Byte ranges of the lines, line feeds included. */
export function lineRanges(bytes: Buffer): readonly (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  for (let start = 0; start < bytes.length; ) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed + 1;
    ranges.push([start, end]);
    start = end;
  }
  return ranges;
}

type Maker = (bytes: Buffer, other: Buffer, random: Random) => Buffer;

const makers: Readonly<Record<string, Maker>> = {
  truncated: (bytes, _, random) => bytes.subarray(0, random.below(bytes.length)),
  'bit flipped': (bytes, _, random) => {
    const copy = Buffer.from(bytes);
    const at = random.below(copy.length);
    copy[at] = copy[at]! ^ (1 << random.below(8));
    return copy;
  },
  'bit flipped in the last line': (bytes, _, random) => {
    const copy = Buffer.from(bytes);
    const [start, end] = lineRanges(bytes).at(-1)!;
    const at = start + random.below(end - start);
    copy[at] = copy[at]! ^ (1 << random.below(8));
    return copy;
  },
  'zeroed tail': (bytes, _, random) => {
    const from = random.below(bytes.length);
    return cat(bytes.subarray(0, from), Buffer.alloc(bytes.length - from));
  },
  'zeroed block': (bytes, _, random) => {
    const copy = Buffer.from(bytes);
    const from = random.below(copy.length);
    copy.fill(0, from, Math.min(copy.length, from + 512));
    return copy;
  },
  'bytes inserted': (bytes, _, random) => {
    const at = random.below(bytes.length);
    return cat(
      bytes.subarray(0, at),
      Buffer.from(random.pick(['\n', ' ', '{}\n', '\0', '\u202e', 'null\n'])),
      bytes.subarray(at),
    );
  },
  'bytes removed': (bytes, _, random) => {
    const at = random.below(bytes.length);
    return cat(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(64)));
  },
  'line removed': (bytes, _, random) => {
    const [start, end] = random.pick(lineRanges(bytes));
    return cat(bytes.subarray(0, start), bytes.subarray(end));
  },
  'line doubled': (bytes, _, random) => {
    const [start, end] = random.pick(lineRanges(bytes));
    return cat(bytes.subarray(0, end), bytes.subarray(start, end), bytes.subarray(end));
  },
  'lines swapped': (bytes, _, random) => {
    const ranges = lineRanges(bytes);
    const at = random.below(Math.max(1, ranges.length - 1));
    const [a, b] = [ranges[at]!, ranges[at + 1] ?? ranges[at]!];
    return cat(bytes.subarray(0, a[0]), bytes.subarray(b[0], b[1]), bytes.subarray(a[0], a[1]), bytes.subarray(b[1]));
  },
  'line of another run': (bytes, other, random) => {
    const [mine, theirs] = [lineRanges(bytes), lineRanges(other)];
    const at = random.below(Math.min(mine.length, theirs.length));
    return cat(bytes.subarray(0, mine[at]![0]), other.subarray(...theirs[at]!), bytes.subarray(mine[at]![1]));
  },
  'tail of another run': (bytes, other, random) => {
    const at = random.pick(lineRanges(bytes))[0];
    return cat(bytes.subarray(0, at), other.subarray(random.pick(lineRanges(other))[0]));
  },
  'swapped with another run': (_, other) => other,
  'newer version': (bytes, _, random) => {
    // An index is one object over many lines, a journal is one object a line.
    const [start, end] = bytes.includes('"version"') ? [0, bytes.length] : random.pick(lineRanges(bytes));
    const text = bytes.subarray(start, end).toString('utf8');
    const newer = text
      .replace(/"v":1}/, '"v":2}')
      .replace(/"version":\s*1/, '"version": 2')
      .replace(/("(?:hash|sum)":\s*")[0-9a-f]{8}/, '$1badc0de5');
    return cat(bytes.subarray(0, start), Buffer.from(newer), bytes.subarray(end));
  },
  emptied: () => Buffer.alloc(0),
  'turned into an array': () => Buffer.from('[]\n'),
  'turned into noise': (bytes, _, random) =>
    Buffer.from(Uint8Array.from({ length: Math.min(2000, bytes.length) }, () => random.below(256))),
};

export const DAMAGE_KINDS = Object.keys(makers);

/** One damaged copy. `other` is the same kind of file of another run. */
export function damage(kind: string, bytes: Buffer, other: Buffer, random: Random): Damage {
  return { kind, bytes: Buffer.from(makers[kind]!(bytes, other, random)) };
}
