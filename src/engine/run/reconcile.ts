/**
 * After a cut: what the journal says beside what the cluster says, and what will be done about each difference. Nothing
 * is changed before a human (or the policy, when nothing is in doubt) has seen it.
 */
import { classifyLive } from '../kube/switch.ts';
import type { Kube } from '../kube/types.ts';
import type { LiveState } from '../kube/workload-types.ts';
import { ok, type Result } from '../result.ts';
import type { Fleet } from '../steps/fleet.ts';
import type { RunState, ServiceRunState } from './fold.ts';
import type { ReconcileRow, RollbackScope, ServiceState } from './model.ts';

export interface Reconciliation {
  readonly rows: readonly ReconcileRow[];
  /** Services whose journaled state the cluster corrects. */
  readonly corrections: readonly { readonly service: string; readonly state: ServiceState }[];
}

/** Compares every service that the run has touched, and the calls whose outcome is not known. Reads only. */
export async function reconcile(
  kube: Kube,
  fleet: Fleet,
  state: RunState,
  signal?: AbortSignal,
): Promise<Result<Reconciliation>> {
  const rows: ReconcileRow[] = [];
  const corrections: { service: string; state: ServiceState }[] = [];
  const open = new Set(
    state.calls.filter((call) => state.openCalls.includes(call.callId)).map((call) => call.intent.target.name),
  );
  for (const service of state.services) {
    const change = fleet.original(service.name);
    if (!change) continue;
    const live = await classifyLive(kube, change, signal);
    if (!live.ok) return live;
    const compared = compare(service, live.value, open.has(service.name), lastDirection(state, change.ref.name));
    rows.push(compared.row);
    if (compared.correct) corrections.push({ service: service.name, state: compared.correct });
  }
  if (state.pendingBack) {
    const scope = describe(state.pendingBack.scope);
    rows.push({
      what: `rollback of ${scope}`,
      journal: state.pendingBack.done ? 'over, but the end was not written' : 'was decided and is not over',
      cluster: 'read service by service',
      willDo: state.pendingBack.done ? 'end the run' : 'go on with the rollback, not with the plan',
      verdict: 'continue',
    });
  }
  const working = state.steps.find((step) => step.state === 'running');
  if (working) {
    rows.push({
      what: working.id,
      journal: 'was running when the session ended',
      cluster: 'its waiting is derived from the live state again',
      willDo: 'start the step again; what is done already is only proved',
      verdict: 'continue',
    });
  }
  return ok({ rows, corrections });
}

const SAYS: Readonly<Record<LiveState['state'], string>> = {
  before: 'the original address',
  after: "the pooler's address",
  other: 'neither of both',
  gone: 'deleted or recreated',
};

const describe = (scope: RollbackScope): string =>
  scope.kind === 'all' ? 'everything' : scope.kind === 'phase' ? `phase ${scope.phase}` : scope.service;

/** Which way the last patch of a workload that may have been made went. */
function lastDirection(state: RunState, workload: string): 'forward' | 'back' | undefined {
  return state.calls.findLast(
    ({ intent, outcome }) =>
      intent.verb === 'patch' && intent.target.name === workload && outcome?.result !== 'refused',
  )?.intent.direction;
}

function compare(
  service: ServiceRunState,
  live: LiveState,
  unsettled: boolean,
  direction: 'forward' | 'back' | undefined,
): { row: ReconcileRow; correct?: ServiceState } {
  const base = {
    what: service.name,
    journal: `${service.state}${unsettled ? ', a call without an outcome' : ''}`,
    cluster: live.contested ? `${SAYS[live.state]}; it was switched and taken back` : SAYS[live.state],
  };
  const row = (willDo: string, verdict: ReconcileRow['verdict'], correct?: ServiceState) => ({
    row: { ...base, willDo, verdict },
    ...(correct ? { correct } : {}),
  });
  if (live.contested) return row(`stop: ${live.manager ?? 'somebody'} reverts it`, 'stop');
  if (live.state === 'gone') return row('stop: its originals belong to an object that is gone', 'stop');
  if (live.state === 'other') return row('ask: somebody changed its address', 'ask');
  const onPooler = live.state === 'after';
  // Its state changes only when the way back is proved; the patch itself may have been made before the cut.
  if (direction === 'back' && (service.state === 'pooled' || service.state === 'switching')) {
    return onPooler
      ? row('send it back again', 'continue')
      : row('prove the way back: rollout, template, connections', 'continue');
  }
  switch (service.state) {
    case 'direct':
      return onPooler
        ? row(
            unsettled ? 'go on: the patch was made; follow its rollout' : 'ask: switched, and not by this run',
            unsettled ? 'continue' : 'ask',
            'switching',
          )
        : row('nothing', 'agrees');
    case 'switching':
      return onPooler ? row('follow the rollout again', 'continue') : row('switch it again', 'continue', 'direct');
    case 'pooled':
      return onPooler ? row('nothing', 'agrees') : row('ask: it went back, and not by this run', 'ask', 'direct');
    case 'rolled-back':
      return onPooler
        ? row('ask: it was rolled back, and is on the pooler again', 'ask', 'switching')
        : row('nothing', 'agrees');
  }
}
