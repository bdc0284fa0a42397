/**
 * One operator at a time: a Lease per namespace. Expiry is judged by what our own clock observed,
 * never by comparing somebody's renewTime with it; every write carries the resourceVersion. The Lease is advice, the
 * `test` operations of the patches are the law.
 */
import { randomBytes } from 'node:crypto';
import { type ErrorCode, fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { onAbort, pause } from './abort.ts';
import type { AcquireOptions, LeaseHandle, LeaseRecord } from './option-types.ts';
import { ref } from './refs.ts';
import type { Json, Kube, KubeObject } from './types.ts';

export const LEASE_NAME = 'pgb-wizard';

const DURATION_S = 30;
const RENEW_MS = 8_000;
/** No successful renewal for so long: send no change. */
const SAFE_MS = 20_000;
/** The wall clock ran ahead of the monotonic one by more: the machine slept. */
const SLEPT_MS = 5_000;
const POLL_MS = 2_000;
/** How a write is refused whose Lease was taken, or deleted: then a PUT would create one, and may not bring a version. */
const MAY_BE_GONE: ReadonlySet<ErrorCode> = new Set(['conflict', 'not-found', 'invalid-object', 'api-unavailable']);

/** Two clocks, because each lies in its own way about sleep: monotonic stops, wall jumps. */
export interface LeaseClock {
  monotonic(): number;
  wall(): number;
}

const machineClock: LeaseClock = { monotonic: () => performance.now(), wall: () => Date.now() };

const microTime = (ms: number): string => new Date(ms).toISOString().replace(/Z$/, '000Z');

const record = (lease: KubeObject): LeaseRecord => ({
  holder: sanitiseLine(lease.spec?.holderIdentity ?? '', 300),
  ...(lease.spec?.acquireTime ? { acquireTime: sanitiseLine(lease.spec.acquireTime, 40) } : {}),
  ...(lease.spec?.renewTime ? { renewTime: sanitiseLine(lease.spec.renewTime, 40) } : {}),
  durationSeconds: lease.spec?.leaseDurationSeconds ?? DURATION_S,
  transitions: lease.spec?.leaseTransitions ?? 0,
  ...(lease.metadata.annotations?.['pgb-wizard.dev/run']
    ? { runId: sanitiseLine(lease.metadata.annotations['pgb-wizard.dev/run'], 100) }
    : {}),
  ...(lease.metadata.annotations?.['pgb-wizard.dev/title']
    ? { title: sanitiseLine(lease.metadata.annotations['pgb-wizard.dev/title'], 200) }
    : {}),
  resourceVersion: lease.metadata.resourceVersion,
});

/** The lock as it is; `undefined` when it was never taken. */
export async function showLease(
  kube: Kube,
  namespace: string,
  signal?: AbortSignal,
): Promise<Result<LeaseRecord | undefined>> {
  const got = await kube.get(ref('Lease', namespace, LEASE_NAME), signal ? { signal } : {});
  if (got.ok) return ok(record(got.value));
  return got.error.code === 'not-found' ? ok(undefined) : got;
}

/** `alice@bastion#7f3a#9c0d…`: who, which run, which start of the process. */
export const holderIdentity = (who: string, runId: string, nonce: string): string => `${who}#${runId}#${nonce}`;

/**
 * Takes the lock. Errors: `locked` (held by somebody alive, or a takeover was declined), those of the port. The handle
 * renews by itself until released or lost.
 */
export async function acquireLease(
  kube: Kube,
  options: AcquireOptions,
  clock: LeaseClock = machineClock,
): Promise<Result<LeaseHandle>> {
  const holder = holderIdentity(options.who, options.runId, options.nonce ?? randomBytes(6).toString('hex'));
  const at = ref('Lease', options.namespace, LEASE_NAME);
  const call = { signal: options.signal };
  let observed: { key: string; monotonic: number; wall: number } | undefined;
  while (!options.signal.aborted) {
    const got = await kube.get(at, call);
    if (!got.ok && got.error.code !== 'not-found') return got;
    if (!got.ok) {
      const made = await kube.create(at, leaseBody(options, holder, 0, clock.wall()), call);
      if (made.ok) return ok(new Held(kube, options, made.value, holder, clock));
      if (made.error.code !== 'already-exists') return made;
      continue;
    }
    const lease = got.value;
    const current = record(lease);
    // Our own write, whose answer was lost: the nonce is this start's alone.
    if (current.holder === holder) return ok(new Held(kube, options, lease, holder, clock));
    const free = current.holder === '' || options.replaceHolders?.includes(current.holder) === true;
    if (!free) {
      const key = JSON.stringify([lease.spec, lease.metadata.resourceVersion]);
      if (observed?.key !== key) observed = { key, monotonic: clock.monotonic(), wall: clock.wall() };
      // The challenger believes the slower clock: a sleep of ours must not look like silence of theirs. A wall clock that
      // was put back says nothing.
      const [ran, passed] = [clock.monotonic() - observed.monotonic, clock.wall() - observed.wall];
      const silentMs = passed < ran - SLEPT_MS ? ran : Math.min(ran, passed);
      if (silentMs < current.durationSeconds * 1000) {
        options.onHeld?.(current, silentMs);
        if (options.wait !== true && options.onExpired === undefined) return locked(current);
        await pause(POLL_MS, [options.signal]);
        continue;
      }
      if (!options.onExpired || !(await options.onExpired(current))) return locked(current);
    }
    const taken = await kube.replace(
      at,
      { ...lease, ...leaseBody(options, holder, current.transitions + 1, clock.wall(), lease) },
      call,
    );
    if (taken.ok) return ok(new Held(kube, options, taken.value, holder, clock));
    if (taken.error.code !== 'conflict') return taken;
    // Somebody was faster: look again.
    observed = undefined;
  }
  return fail('aborted', 'stopped while waiting for the lock');
}

function locked(current: LeaseRecord): Result<never> {
  const run = current.runId ? ` (run ${current.runId})` : '';
  return fail('locked', `${current.holder.split('#')[0]} is working here${run}`, {
    cause: current.renewTime ? `Last sign of life, by its own clock: ${current.renewTime}.` : undefined,
    next: [
      'Ask them. pgb-wizard lock show',
      ...(current.runId
        ? [
            `If that run is dead: pgb-wizard run --run ${current.runId} goes on with it from here (rollback --all --run ${current.runId} takes it back) once its holder was silent for half a minute.`,
          ]
        : []),
      'To begin something else: pgb-wizard lock break --reason "…"',
    ],
    details: { holder: current.holder, ...(current.runId ? { runId: current.runId } : {}) },
  });
}

function leaseBody(
  options: AcquireOptions,
  holder: string,
  transitions: number,
  wall: number,
  lease?: KubeObject,
): Json {
  const now = microTime(wall);
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      ...(lease?.metadata ?? {}),
      name: LEASE_NAME,
      namespace: options.namespace,
      labels: { ...(lease?.metadata.labels ?? {}), 'app.kubernetes.io/managed-by': 'pgb-wizard' },
      annotations: {
        ...(lease?.metadata.annotations ?? {}),
        'pgb-wizard.dev/run': options.runId,
        ...(options.title ? { 'pgb-wizard.dev/title': options.title } : {}),
      },
    },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: DURATION_S,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: transitions,
    },
  };
}

class Held implements LeaseHandle {
  readonly holder: string;
  readonly epoch: number;
  readonly #kube: Kube;
  readonly #options: AcquireOptions;
  readonly #clock: LeaseClock;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  #lease: KubeObject;
  #renewedMono: number;
  #renewedWall: number;
  #foreign: string | undefined;
  #running: Promise<Result<void>> | undefined;

  constructor(kube: Kube, options: AcquireOptions, lease: KubeObject, holder: string, clock: LeaseClock) {
    this.#kube = kube;
    this.#options = options;
    this.#lease = lease;
    this.#clock = clock;
    this.holder = holder;
    this.epoch = lease.spec?.leaseTransitions ?? 0;
    this.#renewedMono = clock.monotonic();
    this.#renewedWall = clock.wall();
    onAbort([options.signal], () => this.#stop.abort());
    void this.#loop();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The holder believes the faster clock: its own sleep counts against it. */
  #silentMs(): number {
    return Math.max(this.#clock.monotonic() - this.#renewedMono, this.#clock.wall() - this.#renewedWall);
  }

  isSafe(): boolean {
    if (this.#lost.signal.aborted || this.#stop.signal.aborted) return false;
    const slept = this.#clock.wall() - this.#renewedWall - (this.#clock.monotonic() - this.#renewedMono) > SLEPT_MS;
    return !slept && this.#silentMs() < SAFE_MS;
  }

  view() {
    return {
      holder: this.#foreign ?? this.holder,
      mine: this.#foreign === undefined,
      ageMs: Math.max(0, Math.round(this.#silentMs())),
    };
  }

  renew(): Promise<Result<void>> {
    this.#running ??= this.#renewNow().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #renewNow(): Promise<Result<void>> {
    const at = ref('Lease', this.#options.namespace, LEASE_NAME);
    const call = { signal: this.#stop.signal, timeoutMs: 5_000 };
    for (let round = 0; round < 3; round++) {
      const monotonic = this.#clock.monotonic();
      const wall = this.#clock.wall();
      const body = {
        ...this.#lease,
        spec: { ...this.#lease.spec, holderIdentity: this.holder, renewTime: microTime(wall) },
      };
      const sent = await this.#kube.replace(at, body, call);
      if (sent.ok) {
        this.#lease = sent.value;
        // From before the request: the time it took is time nobody else could see us alive.
        this.#renewedMono = monotonic;
        this.#renewedWall = wall;
        return ok(undefined);
      }
      if (!MAY_BE_GONE.has(sent.error.code)) return sent;
      const got = await this.#kube.get(at, call);
      if (!got.ok && got.error.code !== 'not-found') return got;
      const current = got.ok ? (got.value.spec?.holderIdentity ?? '') : '';
      if (!got.ok || current !== this.holder) {
        this.#foreign = sanitiseLine(current || 'nobody', 300);
        this.#lost.abort();
        this.#stop.abort();
        return fail('lock-lost', `the lock of this run was taken by ${this.#foreign.split('#')[0]}`, {
          next: ['Ask them before anything else. pgb-wizard lock show'],
          details: { holder: this.#foreign },
        });
      }
      // Refused for another reason than that somebody changed it.
      if (sent.error.code !== 'conflict' && sent.error.code !== 'not-found') return sent;
      // A write of ours whose answer was lost, or an annotation by a person: go on from what is there.
      this.#lease = got.value;
    }
    return fail('conflict', 'the lock changes faster than it can be renewed', { retryable: true });
  }

  async #loop(): Promise<void> {
    while (await pause(RENEW_MS, [this.#stop.signal])) await this.renew();
  }

  async release(): Promise<Result<void>> {
    if (this.#stop.signal.aborted && this.#lost.signal.aborted) return ok(undefined);
    this.#stop.abort();
    await this.#running;
    const at = ref('Lease', this.#options.namespace, LEASE_NAME);
    const call = { timeoutMs: 5_000 };
    // As it was last seen, which is one question less; the resourceVersion tells when it was changed since.
    let lease = this.#lease;
    for (let round = 0; ; round++) {
      const body = {
        ...lease,
        spec: {
          ...lease.spec,
          holderIdentity: '',
          leaseDurationSeconds: 1,
          renewTime: microTime(this.#clock.wall()),
        },
      };
      const sent = await this.#kube.replace(at, body, call);
      if (sent.ok || sent.error.code === 'not-found') return ok(undefined);
      if (!MAY_BE_GONE.has(sent.error.code) || round === 2) return sent;
      const got = await this.#kube.get(at, call);
      if (!got.ok) return got.error.code === 'not-found' ? ok(undefined) : got;
      if (got.value.spec?.holderIdentity !== this.holder) return ok(undefined);
      lease = got.value;
    }
  }
}

/** `lock break`: frees a lock somebody else holds, if it is still the one that was shown, and leaves a note why. */
export async function breakLease(
  kube: Kube,
  namespace: string,
  options: {
    readonly expectHolder: string;
    readonly who: string;
    readonly reason: string;
    readonly signal?: AbortSignal;
  },
): Promise<Result<LeaseRecord>> {
  const at = ref('Lease', namespace, LEASE_NAME);
  const call = options.signal ? { signal: options.signal } : {};
  const got = await kube.get(at, call);
  if (!got.ok) return got;
  const current = record(got.value);
  if (current.holder === '') return ok(current);
  if (current.holder !== options.expectHolder) {
    return fail('conflict', `the lock has another holder by now: ${current.holder.split('#')[0]}`, {
      next: ['pgb-wizard lock show'],
    });
  }
  const body = {
    ...got.value,
    metadata: {
      ...got.value.metadata,
      annotations: {
        ...(got.value.metadata.annotations ?? {}),
        'pgb-wizard.dev/broken-by': sanitiseLine(`${options.who}: ${options.reason}`, 300),
      },
    },
    spec: {
      ...got.value.spec,
      holderIdentity: '',
      leaseTransitions: current.transitions + 1,
      renewTime: microTime(Date.now()),
    },
  };
  const sent = await kube.replace(at, body, call);
  return sent.ok ? ok(record(sent.value)) : sent;
}
