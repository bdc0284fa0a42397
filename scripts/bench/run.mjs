// Whole runs beside the guide's loop, how late their verdicts are, and what they ask of the API server.
import { loadJourneys } from '../build/journeys.mjs';
import { verdictTimes } from './cluster.mjs';
import { median, quantile } from './stats.mjs';

/** In a quick bench one small fleet stands for all of them. */
const QUICK = 2;
/** Services that are moved by the engine itself before the run, the first of them uncounted. */
const VERDICTS = 4;
const sessions = new Map();

function run(root, services, loop = services, apart = false) {
  const key = `${services}/${loop}`;
  if (!sessions.has(key))
    sessions.set(
      key,
      loadJourneys(root, 'scripts/bench/run-session.ts').then(({ measureRun }) =>
        measureRun(services, { loop, apart, first: (kubeconfig) => verdictTimes(root, kubeconfig, VERDICTS) }),
      ),
    );
  return sessions.get(key);
}

const sixteen = ({ root, quick }) => (quick ? small(root) : run(root, 16));
/** Beyond the guide's sixteen the services move in a batch of four at a time; the guide's loop is timed on some of them. */
const hundreds = ({ root, quick }) => (quick ? small(root) : run(root, 200, 20, true));
const small = (root) => run(root, QUICK, QUICK, true);

function ratio({ services, wizardSeconds, loopSeconds, loopServices }) {
  const part = loopServices < services ? `, timed on ${loopServices}` : '';
  return {
    value: wizardSeconds / (loopSeconds * services),
    beside: `${(wizardSeconds / services).toFixed(2)} s a service beside ${loopSeconds.toFixed(2)} s of kubectl set env and rollout status${part}; ${services} services`,
  };
}

export const migrate16 = async (options) => ratio(await sixteen(options));
export const migrate200 = async (options) => ratio(await hundreds(options));

export async function resume16(options) {
  const { resumeMs, services } = await sixteen(options);
  return {
    value: resumeMs,
    beside: `from the start of the process to the first step that is left, ${services} services moved`,
  };
}

/** From the moment a watch of its own shows the last new pod Ready to the verdict. */
export async function rolloutVerdict(options) {
  const { first: late } = await sixteen(options);
  if (late.length === 0) throw new Error('no pod was seen to turn Ready');
  return {
    value: Math.max(0, quantile(late, 0.95)),
    beside: `median ${median(late).toFixed(0)} ms of ${late.length}; the Deployment's own status comes after the pod's`,
  };
}

/** What costs by the minute and not by the service: the lock is renewed every 8 s, whatever moves meanwhile. */
const BY_TIME = /^(update leases|get services)$/;

/**
 * All requests of the steps that move services, for each service: logs, port-forwards and the renewals of the lock too, only
 * watches not. And where they go, and how many the whole run asks.
 */
export async function callsPerService(options) {
  const { services, switching, whole } = await sixteen(options);
  const sum = (counts, keep = () => true) =>
    Object.entries(counts).reduce((all, [what, count]) => (keep(what) ? all + count : all), 0);
  const each = (count) => (count / services).toFixed(1);
  const parts = Object.entries(switching)
    .sort((a, b) => b[1] - a[1])
    .map(([what, count]) => `${what} ${each(count)}`);
  return {
    value: sum(switching) / services,
    beside: `a service: ${parts.join(', ')}; ${each(sum(switching, (what) => BY_TIME.test(what)))} of them by time; the whole run ${each(sum(whole))} of all kinds`,
  };
}
