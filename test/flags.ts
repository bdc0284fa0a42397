/** `--sample N --seed N` of the matrix scripts. */
import { parseArgs } from 'node:util';

export interface MatrixFlags {
  readonly sample: number;
  readonly seed: number;
}

export function matrixFlags(defaults: { readonly sample: number }): MatrixFlags {
  const { values } = parseArgs({ options: { sample: { type: 'string' }, seed: { type: 'string' } } });
  const number = (text: string | undefined, otherwise: number) => {
    const value = text === undefined ? otherwise : Number(text);
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`not a number of at least 1: ${text}`);
    return value;
  };
  return { sample: number(values.sample, defaults.sample), seed: number(values.seed, 1) };
}
