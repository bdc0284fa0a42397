import { useWindowSize } from 'ink';
import { createContext, useContext } from 'react';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Pins the size where there is no terminal: tests, pictures. */
export const SizeContext = createContext<Size | undefined>(undefined);

/**
 * The cells a frame may use. On Windows one row less: a console there scrolls when its last cell is written
 * (vadimdemedes/ink#969).
 */
export function useSize(): Size {
  const pinned = useContext(SizeContext);
  const { columns, rows } = useWindowSize();
  if (pinned !== undefined) return pinned;
  return { columns, rows: process.platform === 'win32' ? rows - 1 : rows };
}
