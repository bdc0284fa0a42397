/**
 * Permissions: what a plan needs and at which step its lack would stop it (kubernetes.md part 7), asked of the cluster
 * with SelfSubjectAccessReview, and printed as the smallest Roles.
 */
import { err, ok, type Result, type WizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { LEASE_NAME } from './lease.ts';
import type { AccessRow, Need } from './option-types.ts';
import { groupOf, KINDS, type Kind } from './refs.ts';
import { runObjectName } from './run-state.ts';
import { ownedName } from './switch-plan.ts';
import type { Json, Kube, KubeObject } from './types.ts';

export interface AccessInput {
  readonly namespace: string;
  readonly runId: string;
  /** Workloads to switch, with the step that does it and the objects their address comes from. */
  readonly workloads: readonly {
    readonly kind: string;
    readonly name: string;
    readonly step: string;
    readonly secrets?: readonly string[];
    readonly configMaps?: readonly string[];
  }[];
  /** Objects the wizard applies itself (the pooler's manifests), with the step. */
  readonly applies?: readonly { readonly kind: Kind; readonly name: string; readonly step: string }[];
  /** Minor version of the server: from 1.35 a WebSocket exec needs `create` beside `get`. */
  readonly serverMinor: number;
  /** Steps that use them; absent: not needed. */
  readonly execStep?: string;
  readonly portForwardStep?: string;
  readonly logStep?: string;
}

const WORKLOAD_KIND: Record<string, { group: string; resource: string }> = {
  Deployment: { group: 'apps', resource: 'deployments' },
  StatefulSet: { group: 'apps', resource: 'statefulsets' },
  DaemonSet: { group: 'apps', resource: 'daemonsets' },
  CronJob: { group: 'batch', resource: 'cronjobs' },
  Rollout: { group: 'argoproj.io', resource: 'rollouts' },
};

const NEEDS_CREATE_FROM_MINOR = 35;

/** Every permission once, with the first step that needs it. */
export function neededAccess(input: AccessInput): Need[] {
  const { namespace, runId } = input;
  const needs = new Map<string, Need>();
  const add = (
    verbs: readonly string[],
    group: string,
    resource: string,
    neededBy: string,
    more: Partial<Need> = {},
  ) => {
    for (const verb of verbs) {
      const need: Need = { verb, group, resource, namespace, neededBy, ...more };
      const key = [verb, group, resource, need.subresource ?? '', need.name ?? ''].join('|');
      if (!needs.has(key)) needs.set(key, need);
    }
  };
  const observe = 'preflight: look at the workloads';
  for (const resource of ['deployments', 'statefulsets', 'daemonsets'])
    add(['get', 'list', 'watch'], 'apps', resource, observe);
  add(['get', 'list', 'watch'], 'apps', 'replicasets', observe);
  add(['get', 'list', 'watch'], '', 'pods', observe);
  add(['get', 'list'], '', 'services', observe);
  add(['list', 'watch'], '', 'events', 'preflight: show causes of failures', { optional: true });
  add(['list'], 'batch', 'cronjobs', observe);
  add(['list'], 'discovery.k8s.io', 'endpointslices', observe, { optional: true });
  add(['list'], 'autoscaling', 'horizontalpodautoscalers', observe, { optional: true });
  add(['list'], '', 'resourcequotas', observe, { optional: true });
  add(['get'], 'coordination.k8s.io', 'leases', 'preflight: take the lock', { name: LEASE_NAME });
  add(['create'], 'coordination.k8s.io', 'leases', 'preflight: take the lock');
  add(['update'], 'coordination.k8s.io', 'leases', 'preflight: take the lock', { name: LEASE_NAME });
  const run = runObjectName(runId);
  add(['create'], '', 'secrets', 'preflight: keep the originals');
  add(['create', 'list'], '', 'configmaps', 'preflight: keep the ledger');
  add(['get'], '', 'secrets', 'preflight: keep the originals', { name: run });
  add(['get', 'update'], '', 'configmaps', 'preflight: keep the ledger', { name: run });
  for (const { kind, name, step } of input.applies ?? []) {
    const { apiVersion, plural } = KINDS[kind];
    add(['create'], groupOf(apiVersion), plural, step);
    add(['get', 'patch'], groupOf(apiVersion), plural, step, { name });
  }
  for (const workload of input.workloads) {
    const known = WORKLOAD_KIND[workload.kind];
    if (!known) continue;
    if (known.group === 'argoproj.io') add(['get', 'list', 'watch'], known.group, known.resource, observe);
    if (known.group === 'batch') add(['get', 'watch'], known.group, known.resource, observe);
    for (const name of workload.secrets ?? []) add(['get'], '', 'secrets', workload.step, { name });
    for (const name of workload.configMaps ?? []) add(['get'], '', 'configmaps', workload.step, { name });
    add(['patch'], known.group, known.resource, workload.step, { name: workload.name });
    add(['get'], '', 'secrets', workload.step, { name: ownedName(workload.name, runId) });
    // A StatefulSet's stuck pod stays until it is deleted.
    if (workload.kind === 'StatefulSet') add(['delete'], '', 'pods', `rollback of ${workload.name}`);
  }
  const stream = input.serverMinor >= NEEDS_CREATE_FROM_MINOR ? ['get', 'create'] : ['get'];
  if (input.logStep) add(['get'], '', 'pods', input.logStep, { subresource: 'log' });
  if (input.portForwardStep) add(stream, '', 'pods', input.portForwardStep, { subresource: 'portforward' });
  if (input.execStep) add(stream, '', 'pods', input.execStep, { subresource: 'exec' });
  return [...needs.values()];
}

const PARALLEL = 6;

/** Asks the cluster about each; an answer that cannot be had is `unknown`, not `no`. */
export async function checkAccess(
  kube: Kube,
  needs: readonly Need[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<Result<AccessRow[]>> {
  const rows: AccessRow[] = new Array(needs.length);
  let failure: WizardError | undefined;
  let next = 0;
  const at = {
    apiVersion: 'authorization.k8s.io/v1',
    plural: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    name: '',
  };
  await Promise.all(
    Array.from({ length: PARALLEL }, async () => {
      while (next < needs.length && failure === undefined) {
        const index = next++;
        const need = needs[index]!;
        const asked = await kube.create(
          at,
          {
            apiVersion: at.apiVersion,
            kind: at.kind,
            spec: {
              resourceAttributes: {
                namespace: need.namespace,
                verb: need.verb,
                group: need.group,
                resource: need.resource,
                ...(need.subresource ? { subresource: need.subresource } : {}),
                ...(need.name ? { name: need.name } : {}),
              },
            },
          },
          options,
        );
        if (!asked.ok) {
          if (
            asked.error.code === 'aborted' ||
            asked.error.code === 'cluster-unreachable' ||
            asked.error.code === 'unauthenticated'
          )
            failure = asked.error;
          rows[index] = { ...need, allowed: 'unknown', reason: asked.error.message };
          continue;
        }
        const { allowed, denied, reason, evaluationError } = asked.value.status ?? {};
        const why = reason || evaluationError;
        rows[index] = {
          ...need,
          allowed: allowed === true && denied !== true,
          ...(why ? { reason: sanitiseLine(why, 300) } : {}),
        };
      }
    }),
  );
  return failure ? err(failure) : ok(rows);
}

/** A Role with exactly these rules, and a RoleBinding for the operator to fill in. */
export function renderRbac(needs: readonly Need[], name = 'pgb-wizard', user = 'REPLACE-WITH-USER'): KubeObject[] {
  const objects: KubeObject[] = [];
  for (const namespace of [...new Set(needs.map((n) => n.namespace))]) {
    const mine = needs.filter((n) => n.namespace === namespace);
    objects.push(
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name, namespace }, rules: rulesOf(mine) },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name, namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
      },
    );
  }
  return objects;
}

/** Merges needs: same resource and names → one rule with all verbs; same verbs and no names → one rule with all resources. */
function rulesOf(needs: readonly Need[]): Json[] {
  const verbs = new Map<string, { group: string; resource: string; name: string | undefined; verbs: Set<string> }>();
  for (const need of needs) {
    const resource = need.subresource ? `${need.resource}/${need.subresource}` : need.resource;
    const key = JSON.stringify([need.group, resource, need.name ?? null]);
    const held = verbs.get(key) ?? { group: need.group, resource, name: need.name, verbs: new Set() };
    held.verbs.add(need.verb);
    verbs.set(key, held);
  }
  const rules = new Map<
    string,
    { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }
  >();
  for (const { group, resource, name, verbs: set } of verbs.values()) {
    const list = [...set].sort();
    const key = JSON.stringify(name === undefined ? [group, list] : [group, resource, list]);
    const rule = rules.get(key) ?? {
      apiGroups: [group],
      resources: [],
      ...(name === undefined ? {} : { resourceNames: [] }),
      verbs: list,
    };
    if (!rule.resources.includes(resource)) rule.resources.push(resource);
    if (name !== undefined) rule.resourceNames!.push(name);
    rules.set(key, rule);
  }
  return [...rules.values()];
}
