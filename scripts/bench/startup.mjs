// How long until something is to be seen, in a real pty, against an empty Node.js process in the same pty.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pty from '@lydell/node-pty';
import { median } from './stats.mjs';

const LIMIT_MS = 20_000;

/** Ms from the start of the process until `isSeen(output)` or, without it, until its end. */
function timed(args, env, isSeen) {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = pty.spawn(process.execPath, args, { name: 'xterm-256color', cols: 100, rows: 30, env });
    let output = '';
    let done = false;
    const finish = (result) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      try {
        child.kill('SIGKILL');
      } catch {
        // It has ended by itself.
      }
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    const timer = setTimeout(
      () => finish(new Error(`nothing to see after ${LIMIT_MS} ms: ${output.slice(-200)}`)),
      LIMIT_MS,
    );
    child.onData((data) => {
      output += data;
      if (isSeen?.(output)) finish(performance.now() - began);
    });
    child.onExit(({ exitCode }) => {
      if (isSeen) finish(new Error(`ended (${exitCode}) before its first frame: ${output.slice(-300)}`));
      else finish(performance.now() - began);
    });
  });
}

/** Interleaved, so that a busy moment of the machine hits both. */
async function ratio(rounds, one, other) {
  const times = { one: [], other: [] };
  for (let i = 0; i < rounds + 1; i++) {
    const [a, b] = [await one(), await other()];
    // The first round fills the file cache.
    if (i > 0) {
      times.one.push(a);
      times.other.push(b);
    }
  }
  const [a, b] = [median(times.one), median(times.other)];
  return { value: a / b, beside: `median of ${rounds}: ${a.toFixed(0)} ms beside ${b.toFixed(0)} ms of node -e 0` };
}

/** The screen of `run`, on a cluster that never answers: nothing but the start is measured. */
export async function firstFrame({ root, quick }) {
  const home = mkdtempSync(join(tmpdir(), 'pgb-bench-'));
  const silent = createServer(() => {});
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const kubeconfig = join(home, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigOf(silent.address().port));
  const { CI, ...outside } = process.env;
  const env = { ...outside, HOME: home, KUBECONFIG: kubeconfig, PGB_WIZARD_HOME: join(home, 'state'), LANG: 'C.UTF-8' };
  try {
    const door = join(root, 'bin', 'pgb-wizard.js');
    return await ratio(
      quick ? 5 : 21,
      // The frame is there when the header has been drawn on the alternate screen.
      () => timed([door, 'run'], env, (output) => /\u001b\[\?1049h[\s\S]*pgb-wizard/.test(output)),
      () => timed(['-e', '0'], env),
    );
  } finally {
    silent.close();
    rmSync(home, { recursive: true, force: true });
  }
}

export async function help({ root, quick }) {
  const door = join(root, 'bin', 'pgb-wizard.js');
  return ratio(
    quick ? 5 : 21,
    () => timed([door, '--help'], process.env),
    () => timed(['-e', '0'], process.env),
  );
}

function kubeconfigOf(port) {
  return `apiVersion: v1
kind: Config
clusters: [{name: bench, cluster: {server: 'https://127.0.0.1:${port}', insecure-skip-tls-verify: true}}]
users: [{name: bench, user: {token: bench}}]
contexts: [{name: bench, context: {cluster: bench, user: bench, namespace: nova}}]
current-context: bench
`;
}
