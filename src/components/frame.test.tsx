import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import { Frame } from './frame.tsx';
import { span } from './line.ts';
import { themeOf } from './theme.ts';

const theme = themeOf('none');

test('a frame is one row a line, an empty line too', () => {
  const { lastFrame, unmount } = render(<Frame lines={[[span('one')], [], [span('three')]]} theme={theme} />);
  expect(
    lastFrame()
      ?.split('\n')
      .map((row) => row.trimEnd()),
  ).toEqual(['one', '', 'three']);
  unmount();
});

test('only the busy row carries the dots', () => {
  const { lastFrame, unmount } = render(
    <Frame lines={[[span('header')], [span('connecting')]]} theme={theme} busyRow={1} />,
  );
  const [header = '', busy = ''] = lastFrame()?.split('\n') ?? [];
  expect(header.trimEnd()).toBe('header');
  expect(busy).toMatch(/^connecting \.{1,3}/);
  unmount();
});

test('a new line replaces the row it was on', () => {
  const { lastFrame, rerender, unmount } = render(<Frame lines={[[span('1 of 3')]]} theme={theme} />);
  rerender(<Frame lines={[[span('2 of 3')]]} theme={theme} />);
  expect(lastFrame()).toContain('2 of 3');
  expect(lastFrame()).not.toContain('1 of 3');
  unmount();
});
