import { Box, Text } from 'ink';
import Spinner from 'ink-spinner';
import { memo } from 'react';
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

/** A whole frame: one Ink text a row, so that an unchanged row is not rendered, laid out or written again. */
export function Frame({ lines, theme, busyRow }: FrameProps) {
  return (
    <Box flexDirection="column">
      {lines.map((line, row) =>
        row === busyRow ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row of the terminal is its index.
          <Text key={row} wrap="truncate">
            {paintLine(line, theme).trimEnd()} <Spinner type="simpleDots" />
          </Text>
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row of the terminal is its index.
          <Row key={row} text={paintLine(line, theme).trimEnd()} />
        ),
      )}
    </Box>
  );
}
