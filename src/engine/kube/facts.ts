/** What a live workload says about itself: replicas, strategy, probes, and what speaks against changing it now (6.2, 6.3). */

import { templateOf } from './fingerprint.ts';
import { withoutRoom } from './quota.ts';
import { refOf, workloadId } from './refs.ts';
import { referencesOf } from './sources.ts';
import type { Json, KubeObject } from './types.ts';
import type { Finding, Severity, Workload } from './workload-types.ts';

/** Objects around the workloads, read once. */
export interface Surroundings {
  readonly autoscalers: readonly Json[];
  readonly quotas: readonly Json[];
}

/** `25%` of `replicas`: surge rounds up, unavailable down (deployment_util.go ResolveFenceposts). */
export function resolveStrategy(
  replicas: number,
  surge: string | number | undefined,
  unavailable: string | number | undefined,
): { surge: number; unavailable: number } {
  const part = (value: string | number, round: (n: number) => number) =>
    typeof value === 'number' ? value : round((Number.parseFloat(value) / 100) * replicas);
  const up = part(surge ?? '25%', Math.ceil);
  const down = part(unavailable ?? '25%', Math.floor);
  return up === 0 && down === 0 ? { surge: 0, unavailable: 1 } : { surge: up, unavailable: down };
}

export type WorkloadFacts = Omit<Workload, 'manager' | 'consumers' | 'target'>;
/** Findings are added to the facts in place: a copy of each of a thousand workloads is a thousand copies. */
type Facts = Omit<WorkloadFacts, 'findings' | 'progressDeadlineSeconds'> & {
  findings: Finding[];
  progressDeadlineSeconds?: number;
};

export function workloadFacts(object: KubeObject, around: Surroundings): Facts {
  const spec = object.spec ?? {};
  const status = object.status ?? {};
  const pod = templateOf(object)?.spec ?? {};
  const daemon = object.kind === 'DaemonSet';
  const replicas: number =
    object.kind === 'CronJob' ? 0 : daemon ? (status.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);
  const numbers = daemon
    ? {
        updated: status.updatedNumberScheduled ?? 0,
        ready: status.numberReady ?? 0,
        available: status.numberAvailable ?? 0,
        total: status.currentNumberScheduled ?? 0,
      }
    : {
        updated: status.updatedReplicas ?? 0,
        ready: status.readyReplicas ?? 0,
        available: status.availableReplicas ?? 0,
        total: status.replicas ?? 0,
      };
  const strategy = strategyOf(object, replicas);
  const containers: Json[] = pod.containers ?? [];
  const midRollout =
    object.kind !== 'CronJob' &&
    ((status.observedGeneration !== undefined &&
      String(status.observedGeneration) !== String(object.metadata.generation)) ||
      (object.kind === 'StatefulSet' &&
        status.updateRevision !== undefined &&
        status.currentRevision !== status.updateRevision) ||
      (!spec.paused && replicas > 0 && (numbers.updated !== replicas || numbers.total !== replicas)));
  const facts: Facts = {
    id: workloadId({ kind: object.kind, name: object.metadata.name }),
    ref: refOf(object)!,
    uid: object.metadata.uid,
    generation: object.metadata.generation ?? 0,
    replicas,
    status: numbers,
    strategy,
    hasReadinessProbe: containers.some((c) => c.readinessProbe !== undefined),
    minReadySeconds: spec.minReadySeconds ?? 0,
    terminationGraceSeconds: pod.terminationGracePeriodSeconds ?? 30,
    paused: spec.paused === true,
    midRollout,
    podSelector: selectorText(spec.selector),
    containerPorts: containers.flatMap((c) =>
      ((c.ports ?? []) as Json[]).map((p) => ({
        container: c.name,
        ...(p.name ? { name: p.name } : {}),
        port: p.containerPort,
      })),
    ),
    images: containers.map((c) => ({ container: c.name, image: c.image ?? '' })),
    references: referencesOf(object),
    object,
    findings: [],
  };
  if (spec.progressDeadlineSeconds !== undefined) facts.progressDeadlineSeconds = spec.progressDeadlineSeconds;
  facts.findings = findingsOf(object, facts, around);
  return facts;
}

function strategyOf(object: KubeObject, replicas: number): Workload['strategy'] {
  const spec = object.spec ?? {};
  switch (object.kind) {
    case 'Deployment': {
      const type: string = spec.strategy?.type ?? 'RollingUpdate';
      if (type === 'Recreate') return { type, surge: 0, unavailable: replicas };
      const rolling = spec.strategy?.rollingUpdate ?? {};
      return { type, ...resolveStrategy(replicas, rolling.maxSurge, rolling.maxUnavailable) };
    }
    case 'StatefulSet':
      return { type: spec.updateStrategy?.type ?? 'RollingUpdate', surge: 0, unavailable: 1 };
    case 'DaemonSet': {
      const rolling = spec.updateStrategy?.rollingUpdate ?? {};
      const resolved = resolveStrategy(replicas, rolling.maxSurge ?? 0, rolling.maxUnavailable ?? 1);
      return { type: spec.updateStrategy?.type ?? 'RollingUpdate', ...resolved };
    }
    case 'Rollout':
      return { type: spec.strategy?.canary ? 'Canary' : 'BlueGreen', surge: 1, unavailable: 0 };
    default:
      return { type: 'none', surge: 0, unavailable: 0 };
  }
}

/** `app=x,tier in (a,b)`: as a labelSelector parameter. */
export function selectorText(selector: Json): string {
  const parts = Object.entries((selector?.matchLabels ?? {}) as Record<string, string>).map(([k, v]) => `${k}=${v}`);
  for (const e of selector?.matchExpressions ?? []) {
    if (e.operator === 'In') parts.push(`${e.key} in (${e.values.join(',')})`);
    else if (e.operator === 'NotIn') parts.push(`${e.key} notin (${e.values.join(',')})`);
    else parts.push(e.operator === 'Exists' ? e.key : `!${e.key}`);
  }
  return parts.join(',');
}

function findingsOf(object: KubeObject, facts: Omit<WorkloadFacts, 'findings'>, around: Surroundings): Finding[] {
  const found: Finding[] = [];
  const say = (code: Finding['code'], severity: Severity, text: string) => found.push({ code, severity, text });
  const { kind } = object;
  const spec = object.spec ?? {};
  const pod = templateOf(object)?.spec ?? {};
  const { replicas, strategy } = facts;
  if (kind === 'CronJob') {
    say('cronjob', 'info', 'A CronJob: the change takes effect with its next Job; nothing rolls out now.');
    return found;
  }
  if (facts.paused)
    say('paused', 'block', 'It is paused: nothing would roll out. Resume it first: kubectl rollout resume.');
  if (replicas === 0)
    say('zero-replicas', 'warn', 'It has no replicas: the change can be made, and no pod would prove it.');
  const deadline = (object.status?.conditions ?? []).find(
    (c: Json) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded',
  );
  if (deadline)
    say('deadline-exceeded', 'block', 'Its last rollout has exceeded its progress deadline: settle that one first.');
  else if (facts.midRollout) say('mid-rollout', 'block', 'A rollout is under way: wait until it is over.');
  else if (!facts.paused && facts.status.available < replicas) {
    // What is broken before the switch would be taken for the switch's doing, and the way back could not be proved.
    say(
      'not-available',
      'block',
      `Only ${facts.status.available} of ${replicas} pods are available now: it is not healthy before the switch.`,
    );
  }
  if (strategy.type === 'Recreate') {
    say('recreate', 'warn', 'Strategy Recreate: the service is down from the first stop until the new pods are Ready.');
  } else if (strategy.type === 'OnDelete') {
    say('on-delete', 'block', 'Update strategy OnDelete: pods change only when somebody deletes them.');
  } else if (kind === 'StatefulSet' || (kind === 'DaemonSet' && strategy.surge === 0)) {
    say(
      'ordered-no-surge',
      'warn',
      `A ${kind}: pods are replaced one by one, so one is missing at any time${replicas === 1 ? ', and it has only one' : ''}.`,
    );
  } else if (kind === 'Deployment' && strategy.surge === 0 && replicas > 0) {
    say(
      'no-surge',
      replicas === 1 ? 'warn' : 'info',
      `maxSurge 0: ${strategy.unavailable} of ${replicas} pods missing during the rollout.`,
    );
  } else if (kind === 'Deployment' && strategy.unavailable >= 1 && replicas > 0) {
    say(
      'capacity-drop',
      'info',
      `Up to ${strategy.unavailable} of ${replicas} pods may be missing during the rollout.`,
    );
  }
  if (kind === 'StatefulSet' && (spec.updateStrategy?.rollingUpdate?.partition ?? 0) > 0) {
    say(
      'partition',
      'block',
      `Partition ${spec.updateStrategy.rollingUpdate.partition}: pods below it would keep the old address.`,
    );
  }
  if (!facts.hasReadinessProbe) {
    say(
      'no-readiness-probe',
      'warn',
      'No readiness probe: its pods count as Ready before they have talked to the database.',
    );
  }
  if (spec.revisionHistoryLimit === 0) {
    say(
      'no-history',
      'info',
      'revisionHistoryLimit 0: the way back makes a new ReplicaSet; the template is the same to the byte.',
    );
  }
  const scaler = around.autoscalers.find(
    (a) => a.spec?.scaleTargetRef?.kind === kind && a.spec?.scaleTargetRef?.name === object.metadata.name,
  );
  if (scaler) {
    const alone = (scaler.spec.minReplicas ?? 1) === 1;
    say(
      'hpa',
      alone ? 'warn' : 'info',
      `HorizontalPodAutoscaler ${scaler.metadata.name} owns its replicas (${scaler.spec.minReplicas ?? 1}-${scaler.spec.maxReplicas}).`,
    );
  }
  if (kind === 'Deployment' && strategy.surge > 0) surgeFindings(pod, replicas, around, say);
  if (object.metadata.annotations?.['pgb-wizard.dev/skip'] === 'true')
    say('other', 'warn', 'It asks to be left out (pgb-wizard.dev/skip).');
  return found;
}

function surgeFindings(
  pod: Json,
  replicas: number,
  around: Surroundings,
  say: (code: Finding['code'], severity: Severity, text: string) => void,
): void {
  for (const text of withoutRoom(pod, around.quotas)) say('quota', 'block', text);
  const claims = ((pod.volumes ?? []) as Json[]).filter((v) => v.persistentVolumeClaim);
  if (claims.length > 0) {
    say(
      'rwo-volume',
      'warn',
      'It mounts a PersistentVolumeClaim: if that is ReadWriteOnce, the new pod may wait for the old one on another node.',
    );
  }
  const hostPort =
    pod.hostNetwork || (pod.containers ?? []).some((c: Json) => (c.ports ?? []).some((p: Json) => p.hostPort));
  if (hostPort) say('host-port', 'warn', 'It uses host ports: the new pod needs another node than the old one.');
  if (pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution && replicas > 0) {
    say('anti-affinity', 'info', 'Required pod anti-affinity: the new pod needs a node of its own.');
  }
}
