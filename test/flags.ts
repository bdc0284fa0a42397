/** `--sample N --seed N --shard I/N --parallel N --results FILE --sum` of the matrix scripts. */
import { parseArgs } from 'node:util';

/** One of several parts of the same matrix: 1 of 1 is all of it. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

export interface MatrixFlags {
  /** Of the whole matrix; a shard takes its part of it. */
  readonly sample: number;
  readonly seed: number;
  readonly shard: Shard;
  /** How many processes, each with a cluster of its own. */
  readonly parallel: number;
  /** File to which what was tried is appended, and from which what was tried before is known. */
  readonly results: string | undefined;
  /** Only say what the results file holds. */
  readonly sum: boolean;
}

export function matrixFlags(defaults: { readonly sample: number }, args = process.argv.slice(2)): MatrixFlags {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { sample: text, seed: text, shard: text, parallel: text, results: text, sum: { type: 'boolean' } },
  });
  const number = (given: string | undefined, otherwise: number) => {
    const value = given === undefined ? otherwise : Number(given);
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`not a number of at least 1: ${given}`);
    return value;
  };
  const [index, of] = (values.shard ?? '1/1').split('/');
  const shard = { index: number(index, 1), of: number(of, 1) };
  if (shard.index > shard.of) throw new Error(`--shard ${values.shard}: there is no such part`);
  if (values.sum && values.results === undefined) throw new Error('--sum needs --results FILE');
  return {
    sample: number(values.sample, defaults.sample),
    seed: number(values.seed, 1),
    shard,
    parallel: number(values.parallel, 1),
    results: values.results,
    sum: values.sum === true,
  };
}

/** How many of `sample` a shard takes; all shards together take exactly `sample`. */
export const shareOf = (sample: number, { index, of }: Shard): number =>
  Math.floor((sample * index) / of) - Math.floor((sample * (index - 1)) / of);
