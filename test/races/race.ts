/** Two wizards on two machines want the same namespace at the same moment: exactly one writes. */
import { seeded } from '../corruption/random.ts';
import { type Lab, openLab, type Session } from '../crash/lab.ts';

export interface RaceResult {
  readonly races: number;
  /** Both wrote at overlapping times. */
  readonly doubled: number;
  /** Neither wrote. */
  readonly lost: number;
  /** One was through before the other began: no race, but right. */
  readonly inTurn: number;
  readonly failures: readonly string[];
}

export async function runRaces(options: {
  readonly sample: number;
  readonly seed: number;
  readonly each?: (race: number, result: RaceResult) => void;
}): Promise<RaceResult> {
  const random = seeded(options.seed);
  const lab = await openLab();
  const failures: string[] = [];
  let [doubled, lost, inTurn] = [0, 0, 0];
  try {
    for (let race = 1; race <= options.sample; race++) {
      lab.mark();
      const ended = await oneRace(lab, random.below(120));
      const wrote = writers(lab);
      const codes = ended.map((session) => session.code).sort();
      const said = `race ${race}: exits ${codes}, ${wrote.length} wrote`;
      if (wrote.length === 0) {
        lost++;
        failures.push(`${said}: nobody wrote: ${ended.map((session) => session.stderr.slice(-300)).join(' | ')}`);
      } else if (wrote.length === 2 && overlap(wrote)) {
        doubled++;
        failures.push(`${said} at the same time`);
      } else if (wrote.length === 2) inTurn++;
      else if (codes.join() !== '3,7') failures.push(`${said}: the loser should say who holds the lock (exit 7)`);
      options.each?.(race, { races: race, doubled, lost, inTurn, failures });
      await lab.sweep();
    }
    return { races: options.sample, doubled, lost, inTurn, failures };
  } finally {
    await lab.close();
  }
}

function oneRace(lab: Lab, headStartMs: number): Promise<Session[]> {
  const args = ['run', '--fresh', '--no-input', '--time-scale', '600', '--plan', lab.plan, '--stop-after', 'p1.secret'];
  const start = (user: string) => lab.wizard(lab.newHome(), args, { env: { USER: user } });
  const first = start('alice');
  const second = new Promise<void>((resolve) => setTimeout(resolve, headStartMs)).then(() => start('bob'));
  return Promise.all([first, second]);
}

interface Writer {
  readonly agent: string;
  readonly from: number;
  readonly to: number;
}

/** Who changed anything but the lock itself. A run is told from another by its User-Agent. */
function writers(lab: Lab): Writer[] {
  const by = new Map<string, Writer>();
  for (const { userAgent = '', url, at, code } of lab.requests) {
    if (/\/leases(\/|\?|$)|reviews(\?|$)|dryRun=All|portforward|\/exec/.test(url) || (code ?? 500) >= 300) continue;
    const known = by.get(userAgent);
    by.set(userAgent, { agent: userAgent, from: Math.min(known?.from ?? at, at), to: Math.max(known?.to ?? at, at) });
  }
  return [...by.values()];
}

const overlap = ([a, b]: readonly Writer[]) => a !== undefined && b !== undefined && a.from <= b.to && b.from <= a.to;
