import { Box, Text } from 'ink';
import Spinner from 'ink-spinner';
import { memo, useMemo } from 'react';
import type { Line } from './line.ts';
import { paintLine } from './paint.ts';
import type { Theme } from './theme.ts';

export interface FrameProps {
  readonly lines: readonly Line[];
  readonly theme: Theme;
  /** Row at whose end three dots come and go, 2.5 times a second: something is under way that can't say how far it is. */
  readonly busyRow?: number;
}

const Row = memo(function Row({ text }: { text: string }) {
  // A blank keeps Yoga from giving an empty line no height at all.
  return <Text wrap="truncate">{text === '' ? ' ' : text}</Text>;
});

/** Lines to text; a line that stands in the next frame too, as the same object, is painted once. */
function usePainted(theme: Theme): (line: Line) => string {
  return useMemo(() => {
    const known = new WeakMap<Line, string>();
    return (line) => {
      const text = known.get(line) ?? paintLine(line, theme).trimEnd();
      known.set(line, text);
      return text;
    };
  }, [theme]);
}

/**
 * A whole frame as one Ink text: of 30 texts each frame costs thirty times React's and Yoga's care, though what is written
 * is the difference between two frames in either case (decision 13). Only a frame with a spinner in it has a text a row.
 */
export function Frame({ lines, theme, busyRow }: FrameProps) {
  const painted = usePainted(theme);
  const rows = lines.map(painted);
  if (busyRow === undefined) return <Row text={rows.join('\n')} />;
  return (
    <Box flexDirection="column">
      {rows.map((text, row) =>
        row === busyRow ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row of the terminal is its index.
          <Text key={row} wrap="truncate">
            {text} <Spinner type="simpleDots" />
          </Text>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row of the terminal is its index.
          <Row key={row} text={text} />
        ),
      )}
    </Box>
  );
}
