/**
 * Defaults of the built-in kinds, as `pkg/apis/<group>/v1/defaults.go` sets them: without them the fingerprints of a rehearsal
 * would differ from production's. Each function completes the object in place.
 */
import type { Json, KubeObject } from '../../contract.ts';
import { encodeBase64 } from './secrets.ts';

type Complete = (object: KubeObject, context: DefaultContext) => void;

export interface DefaultContext {
  /** A free ClusterIP; `wanted` is reserved instead when given. */
  clusterIP: (wanted?: string) => string;
  creating: boolean;
}

function set(target: Json, key: string, value: Json): void {
  if (target[key] === undefined) target[key] = value;
}

function probe(value: Json): void {
  if (value === undefined) return;
  set(value, 'timeoutSeconds', 1);
  set(value, 'periodSeconds', 10);
  set(value, 'successThreshold', 1);
  set(value, 'failureThreshold', 3);
  handler(value);
}

function handler(value: Json): void {
  if (value?.httpGet !== undefined) {
    set(value.httpGet, 'path', '/');
    set(value.httpGet, 'scheme', 'HTTP');
  }
}

/** `IfNotPresent`, unless the tag is missing or `latest`. */
function pullPolicy(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const last = image.slice(image.lastIndexOf('/') + 1);
  const tag = last.includes(':') ? last.slice(last.indexOf(':') + 1) : 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function container(value: Json): void {
  set(value, 'resources', {});
  set(value, 'terminationMessagePath', '/dev/termination-log');
  set(value, 'terminationMessagePolicy', 'File');
  set(value, 'imagePullPolicy', pullPolicy(value.image ?? ''));
  for (const port of value.ports ?? []) set(port, 'protocol', 'TCP');
  for (const one of ['livenessProbe', 'readinessProbe', 'startupProbe']) probe(value[one]);
  handler(value.lifecycle?.postStart);
  handler(value.lifecycle?.preStop);
  for (const entry of value.env ?? []) {
    if (entry.valueFrom?.fieldRef !== undefined) set(entry.valueFrom.fieldRef, 'apiVersion', 'v1');
  }
}

/** Limits without requests: the requests are the limits. Only pods get this, not templates. */
function requestsFromLimits(value: Json): void {
  const limits = value.resources?.limits;
  if (limits === undefined) return;
  for (const [name, amount] of Object.entries(limits)) {
    value.resources.requests ??= {};
    set(value.resources.requests, name, amount);
  }
}

export function podSpec(spec: Json): void {
  if (spec === undefined || spec === null) return;
  for (const one of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) container(one);
  set(spec, 'restartPolicy', 'Always');
  set(spec, 'terminationGracePeriodSeconds', 30);
  set(spec, 'dnsPolicy', 'ClusterFirst');
  set(spec, 'securityContext', {});
  set(spec, 'schedulerName', 'default-scheduler');
  if (spec.serviceAccountName !== undefined) set(spec, 'serviceAccount', spec.serviceAccountName);
  else if (spec.serviceAccount !== undefined) spec.serviceAccountName = spec.serviceAccount;
  for (const volume of spec.volumes ?? []) {
    for (const kind of ['secret', 'configMap', 'projected', 'downwardAPI']) {
      if (volume[kind] !== undefined) set(volume[kind], 'defaultMode', 0o644);
    }
    if (Object.keys(volume).length === 1) volume.emptyDir = {};
    if (volume.hostPath !== undefined) set(volume.hostPath, 'type', '');
  }
  for (const constraint of spec.topologySpreadConstraints ?? []) set(constraint, 'maxSkew', 1);
}

function template(spec: Json): void {
  if (spec === undefined) return;
  set(spec, 'template', {});
  set(spec.template, 'metadata', {});
  set(spec.template, 'spec', {});
  podSpec(spec.template.spec);
}

function qosClass(spec: Json): string {
  const all = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const amounts = all.map((one: Json) => ({
    limits: one.resources?.limits ?? {},
    requests: one.resources?.requests ?? {},
  }));
  if (amounts.every((one) => Object.keys(one.limits).length === 0 && Object.keys(one.requests).length === 0)) {
    return 'BestEffort';
  }
  const guaranteed = amounts.every((one) =>
    ['cpu', 'memory'].every((name) => one.limits[name] !== undefined && one.limits[name] === one.requests[name]),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

const completers: Record<string, Complete> = {
  Pod(pod, { creating }) {
    pod.spec ??= {};
    podSpec(pod.spec);
    for (const one of [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]) requestsFromLimits(one);
    // Added by the DefaultTolerationSeconds and Priority admission plugins when the pod is created.
    if (creating) {
      set(pod.spec, 'tolerations', []);
      for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
        if (!pod.spec.tolerations.some((one: Json) => one.key === key)) {
          pod.spec.tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
        }
      }
      set(pod.spec, 'priority', 0);
      set(pod.spec, 'preemptionPolicy', 'PreemptLowerPriority');
      pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec) };
    }
    set(pod.spec, 'enableServiceLinks', true);
  },
  Deployment(object) {
    const spec = object.spec ?? {};
    object.spec = spec;
    set(spec, 'replicas', 1);
    template(spec);
    set(spec, 'strategy', {});
    set(spec.strategy, 'type', 'RollingUpdate');
    if (spec.strategy.type === 'RollingUpdate') {
      set(spec.strategy, 'rollingUpdate', {});
      set(spec.strategy.rollingUpdate, 'maxUnavailable', '25%');
      set(spec.strategy.rollingUpdate, 'maxSurge', '25%');
    }
    set(spec, 'revisionHistoryLimit', 10);
    set(spec, 'progressDeadlineSeconds', 600);
  },
  ReplicaSet(object) {
    object.spec ??= {};
    set(object.spec, 'replicas', 1);
    template(object.spec);
    if (object.metadata.labels === undefined && object.spec.template?.metadata?.labels !== undefined) {
      object.metadata.labels = { ...object.spec.template.metadata.labels };
    }
  },
  StatefulSet(object) {
    const spec = object.spec ?? {};
    object.spec = spec;
    set(spec, 'replicas', 1);
    template(spec);
    set(spec, 'serviceName', '');
    set(spec, 'podManagementPolicy', 'OrderedReady');
    set(spec, 'updateStrategy', {});
    set(spec.updateStrategy, 'type', 'RollingUpdate');
    if (spec.updateStrategy.type === 'RollingUpdate') {
      set(spec.updateStrategy, 'rollingUpdate', {});
      set(spec.updateStrategy.rollingUpdate, 'partition', 0);
    }
    set(spec, 'revisionHistoryLimit', 10);
    set(spec, 'persistentVolumeClaimRetentionPolicy', {});
    set(spec.persistentVolumeClaimRetentionPolicy, 'whenDeleted', 'Retain');
    set(spec.persistentVolumeClaimRetentionPolicy, 'whenScaled', 'Retain');
  },
  DaemonSet(object) {
    const spec = object.spec ?? {};
    object.spec = spec;
    template(spec);
    set(spec, 'updateStrategy', {});
    set(spec.updateStrategy, 'type', 'RollingUpdate');
    if (spec.updateStrategy.type === 'RollingUpdate') {
      set(spec.updateStrategy, 'rollingUpdate', {});
      set(spec.updateStrategy.rollingUpdate, 'maxUnavailable', 1);
      set(spec.updateStrategy.rollingUpdate, 'maxSurge', 0);
    }
    set(spec, 'revisionHistoryLimit', 10);
  },
  Job(object, { creating }) {
    const spec = object.spec ?? {};
    object.spec = spec;
    jobSpec(spec);
    if (creating && spec.manualSelector !== true && object.metadata.uid !== undefined) {
      const uid = object.metadata.uid;
      spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
      const labels = spec.template.metadata.labels ?? {};
      spec.template.metadata.labels = labels;
      set(labels, 'batch.kubernetes.io/controller-uid', uid);
      set(labels, 'batch.kubernetes.io/job-name', object.metadata.name);
      set(labels, 'controller-uid', uid);
      set(labels, 'job-name', object.metadata.name);
      if (object.metadata.labels === undefined) object.metadata.labels = { ...labels };
    }
  },
  CronJob(object) {
    const spec = object.spec ?? {};
    object.spec = spec;
    set(spec, 'concurrencyPolicy', 'Allow');
    set(spec, 'suspend', false);
    set(spec, 'successfulJobsHistoryLimit', 3);
    set(spec, 'failedJobsHistoryLimit', 1);
    set(spec, 'jobTemplate', {});
    set(spec.jobTemplate, 'metadata', {});
    set(spec.jobTemplate, 'spec', {});
    template(spec.jobTemplate.spec);
  },
  Service(object, { clusterIP, creating }) {
    const spec = object.spec ?? {};
    object.spec = spec;
    set(spec, 'type', 'ClusterIP');
    set(spec, 'sessionAffinity', 'None');
    for (const port of spec.ports ?? []) {
      set(port, 'protocol', 'TCP');
      if (spec.clusterIP !== 'None') set(port, 'targetPort', port.port);
      else set(port, 'targetPort', port.port);
    }
    if (spec.type === 'ExternalName') return;
    if (creating) {
      spec.clusterIP =
        spec.clusterIP === undefined ? clusterIP() : spec.clusterIP === 'None' ? 'None' : clusterIP(spec.clusterIP);
      spec.clusterIPs = [spec.clusterIP];
    }
    set(spec, 'ipFamilies', ['IPv4']);
    set(spec, 'ipFamilyPolicy', 'SingleStack');
    set(spec, 'internalTrafficPolicy', 'Cluster');
    object.status ??= { loadBalancer: {} };
  },
  Secret(object) {
    set(object, 'type', 'Opaque');
    for (const [key, text] of Object.entries(object.stringData ?? {})) {
      object.data ??= {};
      object.data[key] = encodeBase64(text as string);
    }
    delete object.stringData;
  },
  Namespace(object) {
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
    object.spec ??= { finalizers: ['kubernetes'] };
    object.status ??= { phase: 'Active' };
  },
  HorizontalPodAutoscaler(object) {
    object.spec ??= {};
    set(object.spec, 'minReplicas', 1);
  },
  NetworkPolicy(object) {
    object.spec ??= {};
    const types = ['Ingress'];
    if (object.spec.egress !== undefined) types.push('Egress');
    set(object.spec, 'policyTypes', types);
  },
  PersistentVolumeClaim(object) {
    object.spec ??= {};
    set(object.spec, 'volumeMode', 'Filesystem');
    object.status ??= { phase: 'Pending' };
  },
  RoleBinding: roleBinding,
  ClusterRoleBinding: roleBinding,
};

function roleBinding(object: KubeObject): void {
  if (object.roleRef !== undefined) set(object.roleRef, 'apiGroup', 'rbac.authorization.k8s.io');
  for (const subject of object.subjects ?? []) {
    if (subject.kind !== 'ServiceAccount') set(subject, 'apiGroup', 'rbac.authorization.k8s.io');
  }
}

function jobSpec(spec: Json): void {
  template(spec);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  set(spec, 'parallelism', 1);
  set(spec, 'backoffLimit', 6);
  set(spec, 'completionMode', 'NonIndexed');
  set(spec, 'suspend', false);
  set(spec, 'podReplacementPolicy', 'TerminatingOrFailed');
}

/** Completes `object` in place; kinds without defaults are left as they are. */
export function applyDefaults(object: KubeObject, context: DefaultContext): void {
  completers[object.kind]?.(object, context);
  // Kinds with a status subresource print `status: {}` until their controller writes it.
  if (EMPTY_STATUS.has(object.kind)) object.status ??= object.kind === 'ReplicaSet' ? { replicas: 0 } : {};
}

const EMPTY_STATUS = new Set(['Deployment', 'ReplicaSet', 'Job', 'CronJob', 'Pod']);
