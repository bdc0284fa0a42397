/**
 * Hostile text end to end: logs and events of a failing pod carry escape sequences, OSC 52 (which writes a clipboard),
 * bidirectional overrides, markup, a spreadsheet formula, a line of 1 MB and bytes that are no UTF-8. What is
 * printed, journaled and exported must hold none of it in a form that acts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, openLab, runsIn } from './crash/lab.ts';
import { ACTS, MARK } from './hostile.ts';
import { speakHostile } from './hostile-pods.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await openLab({ faults: ['crashloop:notification-service'] });
  speakHostile(lab.cluster, /^notification-service/, /^notification-service/);
});
afterAll(() => lab?.close());

test('a hostile pod changes no terminal, no file and no spreadsheet', async () => {
  const home = lab.newHome();
  const args = ['run', '--no-input', '--time-scale', '600', '--plan', lab.plan, '--on-failure', 'rollback-all'];
  const failed = await lab.wizard(home, args);
  expect(failed.code, failed.stderr.slice(-2000)).toBe(6);
  const exported = await lab.wizard(home, ['export', '--run', runsIn(home)[0]!, '--to', join(home, 'out')]);
  expect(exported.code, exported.stderr).toBe(0);
  let marked = 0;
  const safe = (where: string, text: string) => {
    if (text.includes(MARK)) marked++;
    // A line of a CSV file ends with CR LF (RFC 4180).
    const found = ACTS.exec(where.endsWith('.csv') ? text.replaceAll('\r\n', '\n') : text);
    expect(
      found && `${where}: ${JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 20))}`,
    ).toBeNull();
    expect(Math.max(...text.split('\n').map((line) => line.length)), where).toBeLessThan(
      where.endsWith('html') ? 2e6 : 200_000,
    );
  };
  safe('stdout', failed.stdout);
  safe('stderr', failed.stderr);
  for (const entry of readdirSync(home, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.endsWith('.lock')) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    safe(entry.name, text);
    if (entry.name.endsWith('.html')) expect(text).not.toContain('<script>alert(1)');
    if (entry.name.endsWith('.csv')) expect(text).not.toMatch(/(^|,|")=HYPERLINK/m);
    if (entry.name.endsWith('.md')) expect(text).not.toMatch(/<script>|\]\(javascript:/);
  }
  // The text did get everywhere, or nothing is proved.
  expect(marked).toBeGreaterThan(2);
});
