/** Scenarios 02 to 09 and 17: the requests of the recording, the controllers' answers as the order of Deployment conditions. */

import type { RehearsalStore } from '../../src/rehearsal/api/store.ts';
import type { Json, KubeObject } from '../../src/rehearsal/contract.ts';
import { ServiceIndex } from '../../src/rehearsal/controllers/service-index.ts';
import { startControllers } from '../../src/rehearsal/controllers/start.ts';
import { type ContractCluster, startContractCluster } from './cluster.ts';
import { Book } from './compare.ts';
import { type Exchange, loadScenario } from './recording.ts';
import type { Scenario } from './scenarios-rest.ts';
import { scriptedKubelet } from './scripted-kubelet.ts';
import { send } from './wire.ts';

const DEADLINE_SECONDS = 1;
const PATIENCE_MS = 6000;
const QUIET_MS = 80;

/** `Available=True/MinimumReplicasAvailable Progressing=…`, in the order of the conditions. */
function conditions(object: KubeObject): string {
  return ((object.status?.conditions ?? []) as Json[])
    .map((one) => `${one.type}=${one.status}/${one.reason}`)
    .join(' ');
}

/** Each state once, in order. */
function distinct(states: string[]): string[] {
  return states.filter((state, index) => state !== states[index - 1]);
}

interface Watched {
  states: string[];
  stop: () => void;
}

function watchStates(store: RehearsalStore, name: string, view: (object: KubeObject) => string): Watched {
  const current = store.peek('deployments.apps', 'rec', name);
  const states = current === undefined ? [] : [view(current)];
  const stop = store.watch(({ resource, object, type }) => {
    if (resource === 'deployments.apps' && object.metadata.name === name && type !== 'DELETED')
      states.push(view(object));
  });
  return { states, stop };
}

/** Resolves when the Deployment shows `expected` and nothing was written for a while, or patience ends. */
function settled(store: RehearsalStore, watched: Watched, expected: string): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(patience);
      clearTimeout(quiet);
      unwatch();
      resolve();
    };
    const check = (): void => {
      if (watched.states.at(-1) === expected) end();
    };
    const patience = setTimeout(end, PATIENCE_MS);
    let quiet = setTimeout(check, QUIET_MS);
    const unwatch = store.observe(() => {
      clearTimeout(quiet);
      quiet = setTimeout(check, QUIET_MS);
    });
  });
}

interface Timeline {
  /** Mutations and states by time. */
  requests: { at: number; exchange: Exchange }[];
  states: { at: number; state: string }[];
}

/** What the client did to the Deployment and which states the first watch on it saw. */
function timeline(name: string, scenario: string): Timeline {
  const requests: Timeline['requests'] = [];
  const states: Timeline['states'] = [];
  let watcher: number | undefined;
  for (const exchange of loadScenario(scenario)) {
    if (['POST', 'PUT', 'PATCH'].includes(exchange.request.method) && exchange.request.url.includes('/deployments')) {
      requests.push({ at: (exchange.request as Json).t, exchange });
    }
    const seen = exchange.events.filter(
      (event) =>
        event?.type !== 'BOOKMARK' && event?.object?.kind === 'Deployment' && event.object.metadata.name === name,
    );
    if (seen.length === 0 || (watcher !== undefined && watcher !== exchange.id)) continue;
    watcher = exchange.id;
    exchange.events.forEach((event, index) => {
      if (seen.includes(event)) states.push({ at: exchange.times[index] ?? 0, state: conditions(event.object) });
    });
  }
  return { requests, states };
}

/** Replays one recording about one Deployment and compares the states it went through. */
async function replayStates(cluster: ContractCluster, scenario: string, name: string): Promise<Book> {
  const book = new Book(scenario);
  const { requests, states } = timeline(name, scenario);
  const watched = watchStates(cluster.store, name, conditions);
  for (const [index, { exchange }] of requests.entries()) {
    const text = JSON.stringify(exchange.request).replace(
      /"progressDeadlineSeconds":(?!600)\d+/g,
      `"progressDeadlineSeconds":${DEADLINE_SECONDS}`,
    );
    const answer = await send(cluster, JSON.parse(text));
    book.compare(
      `${exchange.id} ${exchange.request.method} ${name}`,
      'status',
      exchange.response?.status,
      answer.status,
    );
    const before = requests[index + 1]?.at ?? Number.POSITIVE_INFINITY;
    await settled(cluster.store, watched, states.filter(({ at }) => at < before).at(-1)?.state ?? '');
  }
  watched.stop();
  book.compare(`conditions of ${name}`, 'states', distinct(states.map(({ state }) => state)), distinct(watched.states));
  const last = cluster.store.peek('deployments.apps', 'rec', name) as KubeObject;
  const recorded = lastObject(scenario, name);
  const counters = ({ status = {} }: KubeObject): Json =>
    Object.fromEntries(
      ['replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas', 'unavailableReplicas'].map((key) => [
        key,
        status[key] ?? 0,
      ]),
    );
  book.compare(`counters of ${name}`, 'status', counters(recorded), counters(last));
  return book;
}

function lastObject(scenario: string, name: string): KubeObject {
  const objects = loadScenario(scenario)
    .flatMap((exchange) => exchange.events.map((event, index) => ({ event, at: exchange.times[index] ?? 0 })))
    .filter(({ event }) => event?.object?.kind === 'Deployment' && event.object.metadata?.name === name)
    .sort((a, b) => a.at - b.at);
  return objects.at(-1)?.event.object;
}

/** 02, 03, 04, 05, 06, 07 and 09: one story on one cluster, as it was recorded. */
export const rollouts: Scenario = async () => {
  const cluster = await startContractCluster();
  const index = new ServiceIndex(cluster.store);
  const failures: string[] = [];
  const stop = startControllers(cluster.store, index, (key, error) => failures.push(`${key}: ${error}`));
  const kubelet = scriptedKubelet(cluster.store);
  const books: Book[] = [];
  try {
    const story: [scenario: string, name: string][] = [
      ['02-deployment-create-to-ready', 'web'],
      ['03-set-env-rolling-update-3-replicas', 'web'],
      ['04-set-env-no-change', 'web'],
      ['05-image-pull-failure-then-undo', 'web'],
      ['06-crash-loop', 'crash'],
      ['07-readiness-never-progress-deadline', 'slow'],
      ['09-scale-to-zero-and-set-env', 'web'],
    ];
    for (const [scenario, name] of story) books.push(await replayStates(cluster, scenario, name));
    books.at(-1)?.compare('controllers', 'errors', [], failures);
    books.push(await staleDeadline(cluster));
  } finally {
    kubelet();
    stop();
    index.close();
    await cluster.api.close();
  }
  return books.flatMap((book) => book.comparisons);
};

/** 17: after the rollback both generations are 3 while the condition still names the ReplicaSet that failed. */
async function staleDeadline({ store }: ContractCluster): Promise<Book> {
  const book = new Book('17-rollback-of-a-timed-out-single-replica');
  const events = loadScenario('17-rollback-of-a-timed-out-single-replica').flatMap((exchange) => exchange.events);
  const first = events.find((event) => event.object?.kind === 'Deployment').object as KubeObject;
  const applied = JSON.parse(first.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? '');
  applied.spec.progressDeadlineSeconds = DEADLINE_SECONDS;
  const watched = watchStates(store, 'one', conditions);
  const both: string[] = [];
  const view = ({ metadata, status }: KubeObject): string =>
    `${metadata.generation}/${status?.observedGeneration} ${conditions({ status } as KubeObject)}`;
  store.create('deployments.apps', applied);
  await settled(store, watched, 'Available=True/MinimumReplicasAvailable Progressing=True/NewReplicaSetAvailable');
  const set = (value: string): void => {
    const object = store.get('deployments.apps', 'rec', 'one') as KubeObject;
    object.spec.template.spec.containers[0].env[0].value = value;
    store.update('deployments.apps', object);
  };
  set('0');
  await settled(store, watched, 'Available=True/MinimumReplicasAvailable Progressing=False/ProgressDeadlineExceeded');
  const generations = watchStates(store, 'one', view);
  set('1');
  await settled(store, watched, 'Available=True/MinimumReplicasAvailable Progressing=True/NewReplicaSetAvailable');
  generations.stop();
  watched.stop();
  both.push(...generations.states.filter((state) => state.startsWith('3/')));
  const recorded = events.filter((event) => event.object?.kind === 'Deployment').map((event) => view(event.object));
  book.compare(
    'rollback of one',
    'generations and conditions',
    distinct(recorded.filter((state) => state.startsWith('3/'))),
    distinct(both),
  );
  return book;
}
