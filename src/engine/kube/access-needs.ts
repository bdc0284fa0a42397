/**
 * What a plan needs to be allowed, each with the first step that would fail without it. A name is
 * asked for where an object's name is known; what holds the id of a run is known when the run is.
 */
import { LEASE_NAME } from './lease.ts';
import type { Need } from './option-types.ts';
import { copyName, ownedName } from './owned-objects.ts';
import { groupOf, KINDS, type Kind } from './refs.ts';
import { runObjectName } from './run-state.ts';

export interface AccessInput {
  readonly namespace: string;
  /** Absent: any run. Then a right on the objects of a run is one on all objects of their kind. */
  readonly runId?: string;
  /** Workloads to switch, with the step that does it and the objects their templates refer to. */
  readonly workloads: readonly {
    readonly kind: string;
    readonly name: string;
    readonly step: string;
    readonly secrets?: readonly string[];
    readonly configMaps?: readonly string[];
  }[];
  /** Further Secrets that are read: the admin's login, passwords of the operator's. */
  readonly secrets: readonly { readonly name: string; readonly step: string }[];
  /** The Secret that is written by read and replace. */
  readonly userlist: { readonly name: string; readonly step: string };
  /** Objects that are applied (the pooler's manifests). No name: it follows from a content that is not known yet. */
  readonly applies: readonly { readonly kind: Kind; readonly name?: string; readonly step: string }[];
  /** Jobs with a Secret and a ConfigMap `<name>-script`, made, and removed with whatever an earlier run left. */
  readonly jobs: readonly { readonly name: string; readonly step: string }[];
  /** A Service that is asked through one of its pods, maybe in another namespace. */
  readonly prometheus?: { readonly namespace: string; readonly service: string; readonly step: string };
  /** PostgreSQL's Service, when it is in another namespace; not `certain`: its name may as well be a host's (`db.internal`). */
  readonly postgres?: { readonly namespace: string; readonly service: string; readonly certain: boolean };
  /** Minor version of the server: from 1.35 a WebSocket port-forward needs `create` beside `get`. */
  readonly serverMinor: number;
  readonly portForwardStep: string;
  readonly logStep: string;
  /** Also what `cleanup` removes, when the run is known. */
  readonly cleanup?: boolean;
}

const WORKLOAD_KIND: Record<string, { group: string; resource: string }> = {
  Deployment: { group: 'apps', resource: 'deployments' },
  StatefulSet: { group: 'apps', resource: 'statefulsets' },
  DaemonSet: { group: 'apps', resource: 'daemonsets' },
  CronJob: { group: 'batch', resource: 'cronjobs' },
  Rollout: { group: 'argoproj.io', resource: 'rollouts' },
};
const APPS = 'apps';
const BATCH = 'batch';
const LEASES = 'coordination.k8s.io';
const READ = ['get', 'list', 'watch'];
const NEEDS_CREATE_FROM_MINOR = 35;

class Needs {
  readonly #held = new Map<string, Need>();
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  add(verbs: readonly string[], group: string, resource: string, neededBy: string, more: Partial<Need> = {}): void {
    for (const verb of verbs) {
      const need: Need = { verb, group, resource, namespace: this.#namespace, neededBy, ...more };
      const key = [need.namespace, verb, group, resource, need.subresource ?? '', need.name ?? ''].join('|');
      const known = this.#held.get(key);
      // What one step can do without another one may not.
      if (!known || (known.optional && !need.optional)) this.#held.set(key, need);
    }
  }

  /** Without those that a need for all objects of the kind covers. */
  all(): Need[] {
    const broad = new Set(
      [...this.#held.values()].filter((need) => need.name === undefined && !need.optional).map(keyOfKind),
    );
    return [...this.#held.values()].filter((need) => need.name === undefined || !broad.has(keyOfKind(need)));
  }
}

const keyOfKind = (need: Need): string =>
  [need.namespace, need.verb, need.group, need.resource, need.subresource ?? ''].join('|');

/** Every permission once, with the first step that needs it. */
export function neededAccess(input: AccessInput): Need[] {
  const needs = new Needs(input.namespace);
  observing(needs, input);
  lockAndState(needs, input);
  pooler(needs, input);
  measuring(needs, input);
  switching(needs, input);
  streams(needs, input);
  afterwards(needs, input);
  return needs.all();
}

/** `{name}` when the run is known, nothing when it is any. */
const ofRun = (input: AccessInput, name: (runId: string) => string): Partial<Need> =>
  input.runId === undefined ? {} : { name: name(input.runId) };

function observing(needs: Needs, { namespace, workloads }: AccessInput): void {
  const look = 'preflight: look at the workloads';
  needs.add(['get'], '', 'namespaces', 'preflight: tell this cluster from others', { name: namespace, optional: true });
  needs.add(READ, APPS, 'deployments', look);
  for (const kind of ['StatefulSet', 'DaemonSet', 'CronJob'] as const) {
    const { group, resource } = WORKLOAD_KIND[kind]!;
    needs.add(workloads.some((one) => one.kind === kind) ? READ : ['list'], group, resource, look);
  }
  // Consumers of a kind that nobody may list would stay unseen; but most clusters haven't got this one.
  const rollouts = workloads.some((one) => one.kind === 'Rollout');
  needs.add(rollouts ? READ : ['list'], 'argoproj.io', 'rollouts', look, rollouts ? {} : { optional: true });
  needs.add(['list', 'watch'], APPS, 'replicasets', look);
  needs.add(READ, '', 'pods', look);
  needs.add(['get', 'list'], '', 'services', look);
  needs.add(['list', 'watch'], '', 'events', 'rollouts: tell causes of failures', { optional: true });
  const room = { optional: true };
  needs.add(['list'], 'discovery.k8s.io', 'endpointslices', 'preflight: know the addresses of PostgreSQL', room);
  needs.add(['list'], 'autoscaling', 'horizontalpodautoscalers', 'preflight: who scales the workloads', room);
  needs.add(['list'], '', 'resourcequotas', 'preflight: room for one more pod', room);
  needs.add(['list'], 'networking.k8s.io', 'networkpolicies', 'preflight: who may reach the poolers', room);
}

function lockAndState(needs: Needs, input: AccessInput): void {
  const lock = 'start: take the lock';
  needs.add(['get', 'update'], LEASES, 'leases', lock, { name: LEASE_NAME });
  needs.add(['create'], LEASES, 'leases', lock);
  const ledger = 'p1.secret: write the ledger before the first change';
  needs.add(['list'], '', 'configmaps', 'start: find runs that wait');
  needs.add(['create'], '', 'configmaps', ledger);
  needs.add(['get', 'update'], '', 'configmaps', ledger, ofRun(input, runObjectName));
  const originals = 'p1.prepare: keep the originals';
  needs.add(['get'], '', 'secrets', originals, ofRun(input, runObjectName));
  needs.add(['create'], '', 'secrets', originals);
}

function pooler(needs: Needs, { userlist, applies, secrets }: AccessInput): void {
  needs.add(['create'], '', 'secrets', userlist.step);
  needs.add(['get', 'update'], '', 'secrets', userlist.step, { name: userlist.name });
  for (const { name, step } of secrets) needs.add(['get'], '', 'secrets', step, { name });
  for (const { kind, name, step } of applies) {
    const { apiVersion, plural } = KINDS[kind];
    needs.add(['create'], groupOf(apiVersion), plural, step);
    needs.add(['get', 'patch'], groupOf(apiVersion), plural, step, name === undefined ? {} : { name });
  }
}

function measuring(needs: Needs, { jobs }: AccessInput): void {
  for (const { name, step } of jobs) {
    needs.add(['create'], BATCH, 'jobs', step);
    needs.add(['get', 'delete'], BATCH, 'jobs', step, { name });
    for (const [plural, own] of [
      ['configmaps', `${name}-script`],
      ['secrets', name],
    ] as const) {
      needs.add(['create'], '', plural, step);
      needs.add(['get', 'delete'], '', plural, step, { name: own });
    }
  }
}

function switching(needs: Needs, input: AccessInput): void {
  for (const workload of input.workloads) {
    const known = WORKLOAD_KIND[workload.kind];
    if (!known) continue;
    const look = `preflight: read the address of ${workload.name}`;
    for (const name of workload.secrets ?? []) needs.add(['get'], '', 'secrets', look, { name });
    for (const name of workload.configMaps ?? []) needs.add(['get'], '', 'configmaps', look, { name });
    needs.add(['patch'], known.group, known.resource, workload.step, { name: workload.name });
    needs.add(['create'], '', 'secrets', workload.step);
    // Is what is there what was sent? After an answer that got lost.
    for (const [plural, name] of madeFor(workload)) needs.add(['get'], '', plural, workload.step, ofRun(input, name));
    // A StatefulSet's stuck pod stays until it is deleted.
    if (workload.kind === 'StatefulSet') needs.add(['delete'], '', 'pods', `rollback of ${workload.name}`);
  }
}

function streams(needs: Needs, input: AccessInput): void {
  const verbs = input.serverMinor >= NEEDS_CREATE_FROM_MINOR ? ['get', 'create'] : ['get'];
  needs.add(verbs, '', 'pods', input.portForwardStep, { subresource: 'portforward' });
  needs.add(['get'], '', 'pods', input.logStep, { subresource: 'log' });
  if (input.postgres) {
    // Another team's namespace may be closed; then less is known of PostgreSQL until a pooler runs.
    const { namespace, service, certain } = input.postgres;
    const there = { namespace, optional: true };
    const look = `preflight: reach PostgreSQL${certain ? ' in another namespace' : `, if ${namespace} is a namespace`}`;
    needs.add(['get'], '', 'services', look, { ...there, name: service });
    needs.add(['list'], '', 'services', look, there);
    needs.add(['list'], 'discovery.k8s.io', 'endpointslices', look, there);
    needs.add(['list'], '', 'pods', look, there);
    needs.add(verbs, '', 'pods', look, { ...there, subresource: 'portforward' });
  }
  if (!input.prometheus) return;
  const { namespace, service, step } = input.prometheus;
  const there = { namespace, optional: true };
  needs.add(['get'], '', 'services', step, { ...there, name: service });
  needs.add(['list'], '', 'pods', step, there);
  needs.add(verbs, '', 'pods', step, { ...there, subresource: 'portforward' });
}

/** What no step needs, but the operator may: the doctor's fixes, and `cleanup` when nobody will want to go back. */
function afterwards(needs: Needs, input: AccessInput): void {
  const fix = { optional: true };
  needs.add(['patch'], '', 'secrets', 'doctor: mend the userlist', { ...fix, name: input.userlist.name });
  // A right to delete all Secrets is not worth it: without the names somebody else cleans up.
  if (!input.cleanup || input.runId === undefined) return;
  const clean = 'cleanup: remove what is kept of the run';
  const { runId } = input;
  for (const plural of ['secrets', 'configmaps'])
    needs.add(['delete'], '', plural, clean, { ...fix, name: runObjectName(runId) });
  for (const [plural, name] of input.workloads.flatMap(madeFor))
    needs.add(['delete'], '', plural, clean, { ...fix, name: name(runId) });
}

/** What a switch may bring: the new addresses, and copies of mounted files. */
function madeFor({ name, secrets = [], configMaps = [] }: AccessInput['workloads'][number]) {
  const own = (runId: string) => ownedName(name, runId);
  const copy = (object: string) => (runId: string) => copyName(object, name, runId);
  return [
    ['secrets', own],
    ...secrets.map((object) => ['secrets', copy(object)] as const),
    ...(configMaps.length > 0 ? [['configmaps', own] as const] : []),
    ...configMaps.map((object) => ['configmaps', copy(object)] as const),
  ] as const;
}
