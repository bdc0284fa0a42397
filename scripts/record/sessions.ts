/** What is recorded: each session drives the built program in a pty against a rehearsal cluster, as an operator would. */
import { type Cluster, startCluster } from '../../test/journeys/cluster.ts';
import { approveUntil, confirm } from '../../test/journeys/operator.ts';
import { newHome, Terminal } from '../../test/journeys/terminal.ts';

export interface Recording {
  readonly columns: number;
  readonly rows: number;
  readonly title: string;
  /** Seconds since the start, and what was written. */
  readonly events: readonly (readonly [number, string])[];
}

/** A pause longer than this is shortened to it: nobody wants to watch a soak. */
const IDLE_S = 1.2;
/** What is written within this stretch is one event, as one looks at it anyway. */
const TOGETHER_S = 0.05;
const READING_S = 0.9;

class Recorder {
  readonly #events: [number, string][] = [];
  #last = performance.now();
  #at = 0;
  #apart = false;

  /** The machine reads faster than people do: what is on the screen now stays a while in the recording. */
  readonly beat = (): void => {
    this.#at += READING_S;
    this.#apart = true;
  };

  readonly take = (data: string): void => {
    const now = performance.now();
    const passed = Math.min(IDLE_S, (now - this.#last) / 1000);
    this.#last = now;
    const before = this.#events.at(-1);
    if (before !== undefined && passed < TOGETHER_S && !this.#apart) before[1] += data;
    else {
      this.#at = Math.round((this.#at + passed) * 1000) / 1000;
      this.#events.push([this.#at, data]);
      this.#apart = false;
    }
  };

  /** Folders of this machine mean nothing to a reader; the replacements are as long as what they replace. */
  events(): [number, string][] {
    return this.#events.map(([at, data]) => [
      at,
      data.replaceAll('/tmp/pgb-wizard-journey-', '/home/alice/pgb-wizard-0').replaceAll('/tmp/pgbr-', '/home/ali-'),
    ]);
  }
}

type Play = (wizard: (args?: readonly string[]) => Terminal, cluster: Cluster) => Promise<void>;

interface Script {
  readonly title: string;
  readonly columns?: number;
  readonly rows?: number;
  readonly cluster?: readonly string[];
  readonly timeScale?: number;
  readonly play: Play;
}

const leave = async (terminal: Terminal) => {
  await terminal.keys('q');
  await terminal.see('Leave the wizard?');
  await terminal.keys('enter');
  await terminal.over();
};

const SCRIPTS: Readonly<Record<string, Script>> = {
  'happy-path': {
    title: 'The whole guide, sixteen services',
    // The longest: smaller frames keep it small enough for the repository.
    columns: 80,
    rows: 24,
    timeScale: 1500,
    async play(wizard) {
      const terminal = wizard();
      await approveUntil(terminal, 'Enter close', 400_000, { phases: true });
      await terminal.keys('enter');
      await terminal.over();
    },
  },
  rollback: {
    title: 'A decision against going on: phase 2 is rolled back',
    async play(wizard) {
      const terminal = wizard();
      await approveUntil(terminal, /soak is over|left of 30 m/, 400_000, { phases: true });
      await terminal.keys('b');
      await terminal.see('phase 2');
      await terminal.keys('down', 'down', 'down');
      await confirm(terminal, 'enter');
      await terminal.see(/y approve/);
      await confirm(terminal, 'y');
      await terminal.see('Rolled back', 120_000);
      await terminal.keys('enter');
      await terminal.over();
    },
  },
  resume: {
    title: 'A dead connection in the middle of a rollout, and the resume',
    async play(wizard) {
      const first = wizard();
      await approveUntil(first, /Migrate notification-service {3}guide/, 400_000);
      await first.keys('y');
      await first.see('[Enter] does it');
      await first.keys('enter');
      await first.see('updated');
      first.kill('SIGKILL');
      await first.over();
      const second = wizard();
      await second.see('A run waits to be resumed');
      await second.keys('enter');
      await second.see(/will do/i);
      await confirm(second, 'y');
      await approveUntil(second, /Migrate cdn-service {3}guide/, 400_000);
      await leave(second);
    },
  },
  doctor: {
    title: 'A service that will not start: cause, findings, way back',
    cluster: ['--fault', 'crashloop:notification-service'],
    async play(wizard) {
      const terminal = wizard();
      await approveUntil(terminal, /FAILED:/, 400_000, { phases: true });
      await terminal.keys('d');
      await terminal.see(/doctor/i);
      await terminal.keys('escape');
      await terminal.see('FAILED:');
      await terminal.keys('b');
      await terminal.see('phase 2');
      await confirm(terminal, 'enter');
      await terminal.see(/y approve/);
      await confirm(terminal, 'y');
      await terminal.see('is back on PostgreSQL', 120_000);
      await leave(terminal);
    },
  },
  'small-terminal': {
    title: 'The same on 60 columns and 20 rows',
    columns: 60,
    rows: 20,
    async play(wizard) {
      const terminal = wizard();
      await approveUntil(terminal, /soak is over|left of 30 m/, 400_000, { phases: true });
      for (const key of ['s', 'p', 'i', '?']) {
        const before = terminal.screen();
        await terminal.keys(key);
        await terminal.see((screen) => screen !== before);
      }
      await leave(terminal);
    },
  },
};

export const SESSIONS = Object.keys(SCRIPTS);

export async function record(name: string): Promise<Recording> {
  const script = SCRIPTS[name];
  if (script === undefined) throw new Error(`there is no session ${name}: ${SESSIONS.join(', ')}`);
  const { columns = 100, rows = 30, timeScale = 600, title } = script;
  const home = newHome();
  const cluster = await startCluster(home.path, script.cluster);
  const open: Terminal[] = [];
  try {
    const recorder = new Recorder();
    await script.play((args = []) => {
      const terminal = new Terminal(
        ['run', '--kubeconfig', cluster.kubeconfig, '--time-scale', String(timeScale), ...args],
        {
          columns,
          rows,
          home: home.path,
          env: { PGB_WIZARD_OPERATOR: 'alice' },
          onOutput: recorder.take,
          onKeys: recorder.beat,
        },
      );
      open.push(terminal);
      return terminal;
    }, cluster);
    return { columns, rows, title, events: recorder.events() };
  } finally {
    for (const terminal of open) terminal.kill('SIGKILL');
    await cluster.stop();
    home.remove();
  }
}
