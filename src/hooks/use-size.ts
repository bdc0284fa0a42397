import { useWindowSize } from 'ink';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * The cells a frame may use, live. On Windows one row less: a console there scrolls when its last cell is written
 * (vadimdemedes/ink#969).
 */
export function useSize(): Size {
  const { columns, rows } = useWindowSize();
  return { columns, rows: process.platform === 'win32' ? rows - 1 : rows };
}
