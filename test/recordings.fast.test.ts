/** The recordings are what they say they are: each is played in a terminal, and its key frames are looked for. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import xterm from '@xterm/headless';
import { describe, expect, test } from 'vitest';

const folder = fileURLToPath(new URL('../recordings/', import.meta.url));

/** What is seen in each, in this order. */
const KEY_FRAMES: Readonly<Record<string, readonly RegExp[]>> = {
  'happy-path': [
    /Enter show the first change/,
    /Deploy PgBouncer {3}guide 1\.3/,
    /Migrate identity-service {3}guide 2\.1/,
    /all gates pass, the soak is over: continuing is safe/,
    /Migrate auth-service {3}guide 3\.1/,
    /Type rehearsal\/nova and Enter/,
    /Migrate graphql-gateway {3}guide 4\.4/,
    /Done: every service of the plan reaches PostgreSQL through PgBouncer/,
    /16 pooled/,
  ],
  rollback: [
    /Nothing has been changed yet/,
    /clients waiting/,
    /Roll back/,
    /Type rehearsal\/nova and Enter/,
    /Rolled back: the original values are in place again/,
    /3 rolled.back/,
  ],
  resume: [
    /Migrate notification-service/,
    /A run waits to be resumed/,
    /journal says[\s\S]*cluster says[\s\S]*will do/i,
    /Migrate cdn-service/,
    /Parked: nothing is under way/,
  ],
  doctor: [/FAILED: Migrate notification-service/, /what the doctor found|Doctor/, /is back on PostgreSQL/, /Parked/],
  'small-terminal': [/Enter show the first change/, /Migrate identity-service/, /soak/, /The run is parked/],
};

interface Header {
  readonly version: number;
  readonly width: number;
  readonly height: number;
}

async function screensOf(name: string): Promise<{ header: Header; screens: string[]; span: number; longest: number }> {
  const [first = '', ...rest] = readFileSync(join(folder, `${name}.cast`), 'utf8')
    .trimEnd()
    .split('\n');
  const header = JSON.parse(first) as Header;
  const term = new xterm.Terminal({ cols: header.width, rows: header.height, allowProposedApi: true, scrollback: 500 });
  const screens: string[] = [];
  let before = 0;
  let longest = 0;
  for (const line of rest) {
    const [at, , data] = JSON.parse(line) as [number, string, string];
    longest = Math.max(longest, at - before);
    before = at;
    await new Promise<void>((resolve) => term.write(data, resolve));
    const { active } = term.buffer;
    const row = (y: number) => active.getLine(active.viewportY + y)?.translateToString(true) ?? '';
    screens.push(Array.from({ length: header.height }, (_, y) => row(y)).join('\n'));
  }
  return { header, screens, span: before, longest };
}

test('every cast has key frames, and every key frame a cast', () => {
  const casts = readdirSync(folder).filter((name) => name.endsWith('.cast'));
  expect(casts.map((name) => name.replace('.cast', '')).sort()).toEqual(Object.keys(KEY_FRAMES).sort());
});

describe.each(Object.entries(KEY_FRAMES))('%s', (name, frames) => {
  test('shows its key frames in their order, without long pauses', async () => {
    const { header, screens, longest } = await screensOf(name);
    expect(header.version).toBe(2);
    expect(longest).toBeLessThanOrEqual(2.2);
    let from = 0;
    for (const frame of frames) {
      const at = screens.findIndex((screen, index) => index >= from && frame.test(screen));
      expect(at, `${frame} after event ${from}`).toBeGreaterThanOrEqual(from);
      from = at;
    }
  });

  test('is small, and holds no folder of the machine it was made on', () => {
    const path = join(folder, `${name}.cast`);
    expect(statSync(path).size).toBeLessThan(450 * 1024);
    expect(readFileSync(path, 'utf8')).not.toMatch(/\/tmp\/|\/root\/|\/work\//);
  });
});
