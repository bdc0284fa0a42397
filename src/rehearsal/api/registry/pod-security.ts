/**
 * Pod Security admission by the labels of a namespace (staging/src/k8s.io/pod-security-admission/policy): pods that violate
 * the enforced level are refused, workloads whose pods would be are warned about. The checks that workloads of a fleet meet.
 */
import type { Json, KubeObject } from '../../contract.ts';

const PREFIX = 'pod-security.kubernetes.io/';
type Level = 'privileged' | 'baseline' | 'restricted';

interface Violation {
  readonly reason: string;
  readonly detail: string;
}

interface PodParts {
  readonly spec: Json;
  readonly containers: readonly Json[];
}

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');
const some = (word: string, names: readonly string[]): string =>
  `${names.length === 1 ? word : `${word}s`} ${quoted(names)}`;
const namesOf = (containers: readonly Json[], test: (container: Json) => boolean): string[] =>
  containers.filter(test).map((one) => String(one.name));

type Check = (pod: PodParts) => Violation | undefined;

const hostNamespaces: Check = ({ spec }) => {
  const set = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field] === true);
  return set.length === 0
    ? undefined
    : { reason: 'host namespaces', detail: set.map((field) => `${field}=true`).join(', ') };
};

const hostPathVolumes: Check = ({ spec }) => {
  const names = (spec.volumes ?? []).filter((one: Json) => one.hostPath).map((one: Json) => one.name);
  return names.length === 0 ? undefined : { reason: 'hostPath volumes', detail: some('volume', names) };
};

const privileged: Check = ({ containers }) => {
  const names = namesOf(containers, (one) => one.securityContext?.privileged === true);
  return names.length === 0
    ? undefined
    : { reason: 'privileged', detail: `${some('container', names)} must not set securityContext.privileged=true` };
};

const privilegeEscalation: Check = ({ containers }) => {
  const names = namesOf(containers, (one) => one.securityContext?.allowPrivilegeEscalation !== false);
  return names.length === 0
    ? undefined
    : {
        reason: 'allowPrivilegeEscalation != false',
        detail: `${some('container', names)} must set securityContext.allowPrivilegeEscalation=false`,
      };
};

const capabilities: Check = ({ containers }) => {
  const names = namesOf(containers, (one) => !(one.securityContext?.capabilities?.drop ?? []).includes('ALL'));
  return names.length === 0
    ? undefined
    : {
        reason: 'unrestricted capabilities',
        detail: `${some('container', names)} must set securityContext.capabilities.drop=["ALL"]`,
      };
};

const nonRoot: Check = ({ spec, containers }) => {
  const whole = spec.securityContext?.runAsNonRoot;
  const bad = namesOf(containers, (one) => one.securityContext?.runAsNonRoot === false);
  const setters = [...(whole === false ? ['pod'] : []), ...(bad.length > 0 ? [some('container', bad)] : [])];
  const reason = 'runAsNonRoot != true';
  if (setters.length > 0)
    return { reason, detail: `${setters.join(' and ')} must not set securityContext.runAsNonRoot=false` };
  const silent = namesOf(containers, (one) => one.securityContext?.runAsNonRoot === undefined);
  return whole === true || silent.length === 0
    ? undefined
    : { reason, detail: `pod or ${some('container', silent)} must set securityContext.runAsNonRoot=true` };
};

const runAsUser: Check = ({ spec, containers }) => {
  const names = namesOf(containers, (one) => one.securityContext?.runAsUser === 0);
  const setters = [
    ...(spec.securityContext?.runAsUser === 0 ? ['pod'] : []),
    ...(names.length > 0 ? [some('container', names)] : []),
  ];
  return setters.length === 0
    ? undefined
    : { reason: 'runAsUser=0', detail: `${setters.join(' and ')} must not set runAsUser=0` };
};

const seccomp: Check = ({ spec, containers }) => {
  const good = (type: unknown) => type === 'RuntimeDefault' || type === 'Localhost';
  if (good(spec.securityContext?.seccompProfile?.type)) return undefined;
  const silent = namesOf(containers, (one) => !good(one.securityContext?.seccompProfile?.type));
  return silent.length === 0
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `pod or ${some('container', silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      };
};

const CHECKS: Readonly<Record<Level, readonly Check[]>> = {
  privileged: [],
  baseline: [hostNamespaces, hostPathVolumes, privileged],
  restricted: [
    ...[hostNamespaces, hostPathVolumes, privileged],
    ...[privilegeEscalation, capabilities, nonRoot, runAsUser, seccomp],
  ],
};

const levelOf = (labels: Readonly<Record<string, string>> | undefined, mode: 'enforce' | 'warn'): Level => {
  const level = labels?.[`${PREFIX}${mode}`];
  return level !== undefined && level in CHECKS ? (level as Level) : 'privileged';
};

/** `PodSecurity "restricted:latest": …`, or undefined for a pod that the level lets pass. */
function violation(
  labels: Readonly<Record<string, string>> | undefined,
  mode: 'enforce' | 'warn',
  spec: Json,
): string | undefined {
  // A namespace that enforces and says nothing about warnings warns of what it would refuse (1.26).
  const asked = labels?.[`${PREFIX}${mode}`] === undefined ? 'enforce' : mode;
  const level = levelOf(labels, asked);
  const containers: Json[] = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const found = CHECKS[level].flatMap((check) => check({ spec: spec ?? {}, containers }) ?? []);
  if (found.length === 0) return undefined;
  const version = labels?.[`${PREFIX}${asked}-version`] ?? 'latest';
  return `PodSecurity ${JSON.stringify(`${level}:${version}`)}: ${found.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')}`;
}

/** The sentence of the refusal of a pod. */
export function refusedBySecurity(namespace: KubeObject | undefined, pod: KubeObject): string | undefined {
  const why = violation(namespace?.metadata.labels, 'enforce', pod.spec);
  return why && `violates ${why}`;
}

/** The warning about a workload whose pods would be refused, or are not as they should be. */
export function securityWarning(namespace: KubeObject | undefined, workload: KubeObject): string | undefined {
  const template = workload.kind === 'CronJob' ? workload.spec?.jobTemplate?.spec?.template : workload.spec?.template;
  if (template?.spec?.containers === undefined) return undefined;
  const why = violation(namespace?.metadata.labels, 'warn', template.spec);
  return why && `would violate ${why}`;
}
