/** Long lists show a window of themselves; only the rows in it are ever built. */

export interface Window {
  readonly start: number;
  readonly end: number;
  /** Rows above and below that are not shown. */
  readonly above: number;
  readonly below: number;
}

/** The window of `rows` rows at `offset`, clamped to the list. */
export function windowAt(offset: number, total: number, rows: number): Window {
  const height = Math.max(0, rows);
  const start = Math.min(Math.max(0, offset), Math.max(0, total - height));
  const end = Math.min(total, start + height);
  return { start, end, above: start, below: total - end };
}

/** The window that keeps `selected` in sight, near the middle of a long list. */
export function windowAround(selected: number, total: number, rows: number): Window {
  return windowAt(selected - Math.floor(rows / 2), total, rows);
}
