/**
 * A long matrix in slices: shards that run on their own, side by side or one after the other on another day, and append
 * what they tried to a results file. A slice that is cut off keeps what it had; the next one tries first what is missing.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type MatrixFlags, matrixFlags, type Shard, shareOf } from './flags.ts';

/** What a part of a matrix tried and found. Parts add up. */
export interface Part {
  readonly tried: number;
  readonly lost: number;
  readonly doubled: number;
  readonly leaked: number;
  /** Tried, by kind. */
  readonly counts: Readonly<Record<string, number>>;
  /** Different places that were tried. */
  readonly covered: readonly string[];
  /** How many different places there are, as far as this part knows. */
  readonly known: number;
  readonly failures: readonly string[];
  readonly notes: readonly string[];
}

export interface Slice {
  readonly sample: number;
  readonly seed: number;
  readonly shard: Shard;
  /** Places that were tried before, here or by other slices. */
  readonly covered: ReadonlySet<string>;
  readonly say: (line: string) => void;
  /** To be called with what is new, as often as something is. */
  readonly report: (part: Part) => void;
}

export const NOTHING: Part = {
  tried: 0,
  lost: 0,
  doubled: 0,
  leaked: 0,
  counts: {},
  covered: [],
  known: 0,
  failures: [],
  notes: [],
};

export function addParts(a: Part, b: Part): Part {
  const counts: Record<string, number> = { ...a.counts };
  for (const [kind, count] of Object.entries(b.counts)) counts[kind] = (counts[kind] ?? 0) + count;
  return {
    tried: a.tried + b.tried,
    lost: a.lost + b.lost,
    doubled: a.doubled + b.doubled,
    leaked: a.leaked + b.leaked,
    counts,
    covered: [...new Set([...a.covered, ...b.covered])],
    known: Math.max(a.known, b.known),
    failures: [...a.failures, ...b.failures],
    notes: [...a.notes, ...b.notes],
  };
}

interface Line extends Part {
  readonly matrix: string;
  readonly at: string;
  readonly shard: string;
  readonly seed: number;
}

function linesOf(file: string, matrix: string): Line[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as Line)
    .filter((line) => line.matrix === matrix);
}

export interface Matrix {
  readonly name: string;
  readonly defaults: { readonly sample: number };
  run(slice: Slice): Promise<void>;
  /** What is printed above the last line. */
  summary(total: Part, seconds: number): readonly string[];
}

/** Runs what the command line asks for, prints the summary and the line with the counts, and sets the exit code. */
export async function runSlices(matrix: Matrix): Promise<void> {
  const flags = matrixFlags(matrix.defaults);
  const began = performance.now();
  const scratch = mkdtempSync(join(tmpdir(), 'pgbw-matrix-'));
  try {
    const file = flags.results ?? join(scratch, 'results.jsonl');
    const before = linesOf(file, matrix.name).length;
    if (!flags.sum) await (flags.parallel > 1 ? sideBySide(flags, file) : alone(matrix, flags, file));
    const lines = linesOf(file, matrix.name);
    const total = lines.slice(flags.sum ? 0 : before).reduce<Part>(addParts, NOTHING);
    for (const note of total.notes) console.log(`note: ${note}`);
    for (const failure of total.failures) console.log(failure);
    for (const line of matrix.summary(total, Math.round((performance.now() - began) / 1000))) console.log(line);
    const share = flags.sum ? 0 : shareOf(flags.sample, flags.shard);
    if (total.tried < share) console.log(`only ${total.tried} of ${share} were tried: a slice broke off`);
    if (total.tried < share || total.failures.length > 0 || total.lost + total.doubled + total.leaked > 0)
      process.exitCode = 1;
    console.log(countsLine(total));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export const countsLine = ({ tried, lost, doubled, leaked }: Part): string =>
  `tried ${tried}, lost ${lost}, doubled ${doubled}, leaked ${leaked}`;

async function alone(matrix: Matrix, { sample, seed, shard }: MatrixFlags, file: string): Promise<void> {
  const share = shareOf(sample, shard);
  if (share === 0) return;
  await matrix.run({
    sample: share,
    // Shards of one seed must not do the same thing.
    seed: seed * 1009 + shard.index,
    shard,
    covered: new Set(linesOf(file, matrix.name).flatMap((line) => line.covered)),
    say: (line) => console.log(line),
    report(part) {
      const line = { matrix: matrix.name, at: new Date().toISOString(), shard: `${shard.index}/${shard.of}`, seed };
      appendFileSync(file, `${JSON.stringify({ ...line, ...part })}\n`);
    },
  });
}

/** Each process has a cluster of its own: one API server in one thread serves two wizards no faster than one. */
async function sideBySide(flags: MatrixFlags, file: string): Promise<void> {
  const { sample, seed, shard, parallel } = flags;
  const ended = Array.from({ length: parallel }, async (_, k) => {
    const part = `${(shard.index - 1) * parallel + k + 1}/${shard.of * parallel}`;
    const args = ['--sample', `${sample}`, '--seed', `${seed}`, '--shard', part, '--results', file];
    const child = spawn(process.execPath, [process.argv[1]!, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const closed = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    for await (const line of createInterface({ input: child.stdout })) {
      // The summary of each is part of the one of all.
      if (/^(cycle|race| {2})|uninterrupted|undisturbed/.test(line)) console.log(`[${part}] ${line}`);
    }
    // 1: it found something, and wrote it down.
    const code = await closed;
    if (code !== 0 && code !== 1) console.log(`[${part}] ended with ${code}`);
  });
  await Promise.all(ended);
}
