/**
 * The run's copy in the cluster: an immutable Secret with the originals, without which nobody can go
 * back, and a ConfigMap with the ledger, changed by compare-and-set only. No owner references: nothing may collect them.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { fail, ok, type Result } from '../result.ts';
import { canonicalJson } from './fingerprint.ts';
import type { Ledger, LedgerHandle, RunInCluster, RunOriginals } from './option-types.ts';
import { ownedLabels } from './owned-objects.ts';
import { listOf, ref } from './refs.ts';
import type { Json, Kube, KubeObject, WriteOptions } from './types.ts';

const COMPONENT = 'pgb-wizard.dev/component';
/** The API server's limit is 1 MiB for the object; leave room for its metadata. */
const LARGEST = 1_000_000;

export const runObjectName = (runId: string): string =>
  `pgb-wizard-run-${runId.toLowerCase().replace(/[^a-z0-9-]/g, '-')}`;

const labels = (runId: string, component: string) => ({ ...ownedLabels(runId), [COMPONENT]: component });

/**
 * Writes the originals, once, before the first change. Repeating with equal content is fine; different content under
 * the same name is an error, because originals never change.
 */
export async function saveOriginals(
  kube: Kube,
  namespace: string,
  originals: RunOriginals,
  options: WriteOptions = {},
): Promise<Result<void>> {
  const packed = gzipSync(Buffer.from(canonicalJson(originals as Json), 'utf8')).toString('base64');
  if (packed.length > LARGEST) {
    return fail('invalid-object', 'the originals of this run do not fit into one Secret', {
      next: ['Split the plan into two runs.'],
    });
  }
  const at = ref('Secret', namespace, runObjectName(originals.runId));
  const sent = await kube.create(
    at,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: at.name, namespace, labels: labels(originals.runId, 'originals') },
      type: 'pgb-wizard.dev/run',
      immutable: true,
      data: { 'originals.json.gz': packed },
    },
    options,
  );
  if (sent.ok) return ok(undefined);
  if (sent.error.code !== 'already-exists') return sent;
  const there = await loadOriginals(kube, namespace, originals.runId, options.signal);
  if (!there.ok) return there;
  if (there.value && canonicalJson(there.value as Json) === canonicalJson(originals as Json)) return ok(undefined);
  return fail('already-exists', `Secret ${at.name} holds other originals`, {
    next: ['Resume that run, or start a new one with an id of its own.'],
  });
}

/** `undefined` when the run has none yet. */
export async function loadOriginals(
  kube: Kube,
  namespace: string,
  runId: string,
  signal?: AbortSignal,
): Promise<Result<RunOriginals | undefined>> {
  const got = await kube.get(ref('Secret', namespace, runObjectName(runId)), signal ? { signal } : {});
  if (!got.ok) return got.error.code === 'not-found' ? ok(undefined) : got;
  try {
    const text = gunzipSync(Buffer.from(got.value.data['originals.json.gz'], 'base64')).toString('utf8');
    return ok(JSON.parse(text) as RunOriginals);
  } catch {
    return fail('record-invalid', `the originals in Secret ${got.value.metadata.name} cannot be read`, {
      next: ['The local journal of the run holds the digests; restore the Secret from a backup of the cluster.'],
    });
  }
}

function ledgerObject(namespace: string, ledger: Ledger, base?: KubeObject): Json {
  const name = runObjectName(ledger.runId);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      ...(base?.metadata.resourceVersion
        ? { resourceVersion: base.metadata.resourceVersion, uid: base.metadata.uid }
        : {}),
      name,
      namespace,
      labels: labels(ledger.runId, 'ledger'),
    },
    data: { 'ledger.json': JSON.stringify(ledger) },
  };
}

function readLedger(object: KubeObject): Ledger | undefined {
  try {
    const ledger = JSON.parse(object.data?.['ledger.json'] ?? '');
    return ledger?.v === 1 && typeof ledger.runId === 'string' ? (ledger as Ledger) : undefined;
  } catch {
    return undefined;
  }
}

/** Creates the ledger of a new run. */
export async function openLedger(
  kube: Kube,
  namespace: string,
  ledger: Ledger,
  signal?: AbortSignal,
): Promise<Result<LedgerHandle>> {
  const at = ref('ConfigMap', namespace, runObjectName(ledger.runId));
  const made = await kube.create(at, ledgerObject(namespace, ledger), signal ? { signal } : {});
  if (made.ok) return ok(new LedgerFile(kube, namespace, made.value, ledger));
  if (made.error.code !== 'already-exists') return made;
  // Our own POST whose answer was lost looks the same as somebody else's: equal content is ours.
  const got = await kube.get(at, signal ? { signal } : {});
  if (!got.ok) return got;
  if (canonicalJson(readLedger(got.value) ?? null) === canonicalJson(ledger as Json))
    return ok(new LedgerFile(kube, namespace, got.value, ledger));
  return fail('already-exists', `run ${ledger.runId} has a ledger in the cluster already`, {
    next: ['Resume it: pgb-wizard'],
  });
}

/**
 * The ledger of a run to go on with; `not-found` when the cluster does not know the run. `isOurs`: was this copy made by an
 * earlier session of the same journal? Its last write may land late, after it was read here, and is no other driver.
 */
export async function resumeLedger(
  kube: Kube,
  namespace: string,
  runId: string,
  signal?: AbortSignal,
  isOurs: (ledger: Ledger) => boolean = () => false,
): Promise<Result<LedgerHandle>> {
  const got = await kube.get(ref('ConfigMap', namespace, runObjectName(runId)), signal ? { signal } : {});
  if (!got.ok) return got;
  const ledger = readLedger(got.value);
  if (!ledger) return fail('record-invalid', `the ledger of run ${runId} cannot be read`);
  return ok(new LedgerFile(kube, namespace, got.value, ledger, isOurs));
}

class LedgerFile implements LedgerHandle {
  readonly #kube: Kube;
  readonly #namespace: string;
  #object: KubeObject;
  #ledger: Ledger;
  #queue: Promise<unknown> = Promise.resolve();
  /** Written without an answer: if the cluster shows one of them, it was us. */
  #unanswered: string[] = [];
  readonly #isOurs: (ledger: Ledger) => boolean;

  constructor(
    kube: Kube,
    namespace: string,
    object: KubeObject,
    ledger: Ledger,
    isOurs: (ledger: Ledger) => boolean = () => false,
  ) {
    this.#isOurs = isOurs;
    this.#kube = kube;
    this.#namespace = namespace;
    this.#object = object;
    this.#ledger = ledger;
  }

  current(): Ledger {
    return this.#ledger;
  }

  /** One after the other: two updates of the same process must not conflict with each other. */
  update(change: (ledger: Ledger) => Ledger, signal?: AbortSignal): Promise<Result<Ledger>> {
    const next = this.#queue.then(() => this.#update(change, signal));
    this.#queue = next;
    return next;
  }

  #took(object: KubeObject, ledger: Ledger): Result<Ledger> {
    this.#object = object;
    this.#ledger = ledger;
    this.#unanswered = [];
    return ok(ledger);
  }

  async #update(change: (ledger: Ledger) => Ledger, signal?: AbortSignal): Promise<Result<Ledger>> {
    const wanted = change(this.#ledger);
    const at = ref('ConfigMap', this.#namespace, runObjectName(wanted.runId));
    const call = signal ? { signal } : {};
    const sent = await this.#kube.replace(at, ledgerObject(this.#namespace, wanted, this.#object), call);
    if (sent.ok) return this.#took(sent.value, wanted);
    if (sent.error.code === 'outcome-unknown') this.#unanswered.push(canonicalJson(wanted as Json));
    if (sent.error.code !== 'conflict') return sent;
    const got = await this.#kube.get(at, call);
    if (!got.ok) return got;
    const found = readLedger(got.value);
    const there = canonicalJson(found ?? null);
    // Our own write, whose answer got lost and was sent again.
    if (there === canonicalJson(wanted as Json)) return this.#took(got.value, wanted);
    if (this.#unanswered.includes(there) || (found !== undefined && this.#isOurs(found))) {
      // An earlier one, given up without an answer, has landed: this one goes on top of it.
      this.#unanswered = [];
      this.#object = got.value;
      return this.#update(change, signal);
    }
    return fail('lock-lost', `somebody else writes the ledger of run ${wanted.runId}`, {
      next: ['Two sessions run the same run: leave one of them. pgb-wizard lock show'],
    });
  }
}

/** Runs the cluster knows, newest first. */
export async function listRuns(kube: Kube, namespace: string, signal?: AbortSignal): Promise<Result<RunInCluster[]>> {
  const listed = await kube.list(
    listOf('ConfigMap', namespace, { labelSelector: `${COMPONENT}=ledger` }),
    signal ? { signal } : {},
  );
  if (!listed.ok) return listed;
  const runs: RunInCluster[] = [];
  for (const object of listed.value.items) {
    const ledger = readLedger(object);
    if (!ledger) continue;
    const { resourceVersion } = object.metadata;
    runs.push({ runId: ledger.runId, ledger, resourceVersion, writtenAt: writtenAtOf(object) });
  }
  return ok(runs.sort((a, b) => b.ledger.startedAt.localeCompare(a.ledger.startedAt)));
}

/** The newest of what the server noted down; managedFields may have been stripped. */
function writtenAtOf({ metadata }: KubeObject): string {
  const times: unknown[] = (metadata.managedFields ?? []).map((one: { time?: string }) => one.time);
  const known = [metadata.creationTimestamp, ...times].filter((time): time is string => typeof time === 'string');
  return known.sort().at(-1) ?? '';
}

/** Removes a run's objects from the cluster; after this nobody can roll it back from there. */
export async function deleteRun(
  kube: Kube,
  namespace: string,
  runId: string,
  signal?: AbortSignal,
): Promise<Result<void>> {
  for (const kind of ['ConfigMap', 'Secret'] as const) {
    const sent = await kube.delete(ref(kind, namespace, runObjectName(runId)), signal ? { signal } : {});
    if (!sent.ok && sent.error.code !== 'not-found') return sent;
  }
  return ok(undefined);
}
