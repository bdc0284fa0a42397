/**
 * The cluster's copy of a run: enough to go on from another machine that has nothing but a kubeconfig. Written by
 * compare-and-set before every mutating call, so that two drivers of one run stop each other.
 */
import type { Ledger, LedgerHandle } from '../kube/option-types.ts';
import { openLedger, resumeLedger } from '../kube/run-state.ts';
import type { Kube } from '../kube/types.ts';
import { ok, type Result } from '../result.ts';
import type { RunCore } from './core.ts';
import type { JsonValue } from './model.ts';

export class LedgerKeeper {
  readonly #kube: Kube;
  readonly #namespace: string;
  readonly #core: RunCore;
  #handle: LedgerHandle | undefined;
  #saving: Promise<Result<void>> = Promise.resolve(ok(undefined));

  constructor(kube: Kube, namespace: string, core: RunCore) {
    this.#kube = kube;
    this.#namespace = namespace;
    this.#core = core;
  }

  get exists(): boolean {
    return this.#handle !== undefined;
  }

  /** Takes up the ledger of an earlier session; a run that was cut off before its first change has none. */
  async resume(signal?: AbortSignal): Promise<Result<void>> {
    const { state, journal } = this.#core;
    const heads = new Set(journal.opened.lines.map((line) => line.hash));
    const isOurs = (ledger: Ledger) => heads.has(ledger.headHash);
    const found = await resumeLedger(this.#kube, this.#namespace, state.runId, signal, isOurs);
    if (found.ok) {
      this.#handle = found.value;
      return ok(undefined);
    }
    return found.error.code === 'not-found' ? ok(undefined) : found;
  }

  /** Brings the copy up to date. One write at a time: a compare-and-set of our own must not lose against another of our own. */
  save(status: Ledger['status'] = 'running', epoch?: number, signal?: AbortSignal): Promise<Result<void>> {
    const next = this.#saving.then(() => this.#save(status, epoch, signal));
    this.#saving = next;
    return next;
  }

  async #save(status: Ledger['status'], epoch: number | undefined, signal?: AbortSignal): Promise<Result<void>> {
    const { state, journal } = this.#core;
    // The copy names the newest line. One that a power cut can still take would make the journal here look overtaken.
    const synced = journal.sync();
    if (!synced.ok) return synced;
    const now: Ledger = {
      v: 1,
      runId: state.runId,
      operator: state.operator,
      planName: state.planName,
      planHash: state.planHash,
      epoch: epoch ?? this.#handle?.current().epoch ?? 0,
      seq: journal.events,
      status,
      startedAt: state.startedAt,
      updatedAt: this.#core.timestamp(),
      headHash: journal.head,
      data: dataOf(state),
    };
    if (!this.#handle) {
      const opened = await openLedger(this.#kube, this.#namespace, now, signal);
      if (!opened.ok) return opened;
      this.#handle = opened.value;
      return ok(undefined);
    }
    const saved = await this.#handle.update(() => now, signal);
    if (saved.ok || saved.error.code !== 'not-found') return saved.ok ? ok(undefined) : saved;
    // Somebody deleted it under a run that holds the lock: nobody else drives it, and the next machine needs the copy.
    const again = await openLedger(this.#kube, this.#namespace, now, signal);
    if (!again.ok) return again;
    this.#handle = again.value;
    this.#core.message(
      'error',
      `the ledger of this run was deleted in the cluster; it was written again, see who did that`,
    );
    return ok(undefined);
  }
}

/** What another machine needs beside the originals: the plan, what is complete, what each service is, the facts. */
function dataOf(state: RunCore['state']): Record<string, JsonValue> {
  const { finalState: _, rebuiltFrom: __, ...facts } = state.facts;
  return {
    plan: state.plan,
    rehearsal: state.rehearsal,
    timeScale: state.timeScale,
    steps: Object.fromEntries(state.steps.filter((step) => step.state !== 'todo').map((step) => [step.id, step.state])),
    services: Object.fromEntries(state.services.map((service) => [service.name, service.state])),
    openCalls: [...state.openCalls],
    facts,
    cluster: state.cluster,
    ...(state.change ? { change: state.change as JsonValue } : {}),
    calls: lastCalls(state),
    decisions: state.decisions.slice(-DECISIONS_KEPT).map(({ at: _at, gates: _gates, ...rest }) => ({
      ...rest,
      gates: [],
    })) as JsonValue,
    ...(state.pendingBack ? { pendingBack: state.pendingBack as unknown as JsonValue } : {}),
  };
}

const DECISIONS_KEPT = 20;

/** Every call without a known outcome, and of each object the last one: a resume elsewhere must know which way it went. */
function lastCalls(state: RunCore['state']): JsonValue {
  const last = new Map(
    state.calls.map((call) => [`${call.intent.verb} ${call.intent.target.kind}/${call.intent.target.name}`, call]),
  );
  return state.calls
    .filter((call) => state.openCalls.includes(call.callId) || [...last.values()].includes(call))
    .map(({ intent, outcome }) => {
      const { type: _type, ...rest } = intent;
      return { intent: rest as JsonValue, ...(outcome ? { result: outcome.result } : {}) };
    });
}
