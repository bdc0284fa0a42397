/** The rules of our own manifests (manifests.ts), read against an operator's. */
import { checkIni } from './check-ini.ts';
import type { KubeJson, KubeObject } from './config-types.ts';
import { isPooler } from './own-pooler.ts';
import type { Finding, PgBouncerVersion } from './types.ts';
import { atLeast, versionOfImage } from './version.ts';

const list = (value: KubeJson): KubeJson[] => (Array.isArray(value) ? value : []);

/** A `List` is its items. */
const flatten = (objects: readonly KubeObject[]): KubeObject[] =>
  objects.flatMap((object) => (object.kind === 'List' ? flatten(list(object.items)) : [object]));

const matches = (selector: Record<string, string> | undefined, labels: Record<string, string> | undefined): boolean =>
  selector !== undefined && Object.entries(selector).every(([key, value]) => labels?.[key] === value);

const isExporter = (container: KubeJson): boolean => /exporter/i.test(`${container.image} ${container.name}`);

/** A key that this one does not know, none does. */
const NEWEST: PgBouncerVersion = { major: 1, minor: 26, patch: 1, text: '1.26.1' };

/**
 * Checks manifests with the rules that made ours. `version` is used when the image's tag does not tell one.
 * Our own objects come out clean of everything but the age of the image (a test asserts it).
 */
export function checkManifests(
  given: readonly KubeObject[],
  options: { readonly version?: PgBouncerVersion } = {},
): Finding[] {
  const objects = flatten(given);
  const findings: Finding[] = [];
  const add = (id: string, severity: Finding['severity'], title: string, detail: string, fix?: string) =>
    findings.push({ id, severity, title, detail, ...(fix ? { fix } : {}) });

  const workload = objects.find(
    (object) =>
      ['Deployment', 'StatefulSet', 'DaemonSet'].includes(object.kind) &&
      list(object.spec?.template?.spec?.containers).some(isPooler),
  );
  if (!workload) {
    add(
      'no-pooler',
      'block',
      'No Deployment with a PgBouncer container is among the manifests',
      `${objects.length} objects`,
      'Name the folder that holds it, or let the wizard make its own',
    );
    return findings;
  }
  const { template, replicas = 1, strategy } = workload.spec;
  const pod = template.spec;
  const container = list(pod.containers).find(isPooler);
  const image = String(container.image ?? '');
  const version = versionOfImage(image) ?? options.version;
  if (!version)
    add(
      'image-version-unknown',
      'info',
      `Which PgBouncer ${image} is can't be told`,
      `the settings are read as those of ${NEWEST.text}`,
      'Pin a version in the tag, or set pooler.version in the plan',
    );

  checkImage(image, version, add);
  if (workload.kind !== 'Deployment')
    add(
      'not-a-deployment',
      'info',
      `The pooler is a ${workload.kind}`,
      'rollout and drain differ from the checks below',
    );
  if (replicas < 2)
    add(
      'one-replica',
      'warn',
      'There is one pooler',
      'every service loses its database while the pod is replaced',
      'Set replicas: 2',
    );
  if (strategy?.type === 'Recreate')
    add(
      'recreate',
      'block',
      'The strategy is Recreate',
      'a change of the pooler takes every service off its database',
      'Use RollingUpdate with maxUnavailable 0',
    );
  else if (String(strategy?.rollingUpdate?.maxUnavailable ?? '25%') !== '0' && replicas < 4) {
    add(
      'max-unavailable',
      'info',
      'A roll may take a pooler away before its successor is ready',
      `maxUnavailable ${strategy?.rollingUpdate?.maxUnavailable ?? '25 % (the default)'}`,
      'Set maxSurge: 1, maxUnavailable: 0',
    );
  }
  checkProbes(container, add);
  checkShutdown(pod, container, version, add);
  checkSecurity(pod, container, add);
  checkSecrets(objects, pod, add);

  if (
    pod.enableServiceLinks !== false &&
    objects.some((object) => object.kind === 'Service' && /^pgbouncer$/i.test(object.metadata.name))
  ) {
    add(
      'service-links',
      'warn',
      'Service links inject PGBOUNCER_PORT=tcp://… into the pooler',
      'entry points that configure PgBouncer from the environment read it as a setting',
      'Set enableServiceLinks: false',
    );
  }
  if (!pod.affinity?.podAntiAffinity && !list(pod.topologySpreadConstraints).length && replicas > 1) {
    add(
      'no-anti-affinity',
      'warn',
      'Nothing keeps the poolers on different nodes',
      'one node takes both with it',
      'Add a podAntiAffinity on kubernetes.io/hostname',
    );
  }
  if (!list(pod.containers).some(isExporter)) {
    add(
      'no-exporter',
      'info',
      'There is no exporter beside PgBouncer',
      'pods are 1/1, not 2/2, and Prometheus sees no pools',
      'Add prometheus-community/pgbouncer-exporter 0.12 or later',
    );
  }

  const labels = template.metadata?.labels;
  const services = objects.filter(
    (object) =>
      object.kind === 'Service' && matches(object.spec?.selector, labels) && object.spec?.clusterIP !== 'None',
  );
  if (services.length === 0)
    add(
      'no-service',
      'block',
      'No Service selects the pooler pods',
      `labels ${JSON.stringify(labels ?? {})}`,
      "Add a Service with the pods' labels as selector",
    );
  const pdb = objects.find(
    (object) => object.kind === 'PodDisruptionBudget' && matches(object.spec?.selector?.matchLabels, labels),
  );
  if (!pdb && replicas > 1)
    add(
      'no-pdb',
      'warn',
      'There is no PodDisruptionBudget',
      'draining two nodes at once may take both poolers',
      'Add one with minAvailable: 1',
    );
  else if (pdb && (pdb.spec.maxUnavailable === 0 || Number(pdb.spec.minAvailable) >= replicas)) {
    add(
      'pdb-blocks-drain',
      'warn',
      'The PodDisruptionBudget allows no disruption at all',
      'nodes with a pooler can never be drained',
      'Set minAvailable below the replicas',
    );
  }
  if (
    objects.some(
      (object) =>
        object.kind === 'HorizontalPodAutoscaler' && object.spec?.scaleTargetRef?.name === workload.metadata.name,
    )
  ) {
    add(
      'autoscaled',
      'warn',
      'The pooler is scaled automatically',
      'each further pooler opens a pool of its own: the connection budget is per process',
      'Remove the HorizontalPodAutoscaler',
    );
  }
  for (const object of objects.filter((each) => each.kind === 'ConfigMap')) {
    for (const [file, text] of Object.entries((object.data ?? {}) as Record<string, string>)) {
      if (/\.ini$/.test(file) && /\[databases\]/i.test(text)) findings.push(...checkIni(text, version ?? NEWEST));
    }
  }
  return findings;
}

type Add = (id: string, severity: Finding['severity'], title: string, detail: string, fix?: string) => void;

function checkImage(image: string, version: PgBouncerVersion | undefined, add: Add): void {
  if (!image.includes('@sha256:') && (/:latest$/.test(image) || !/:[^/]+$/.test(image))) {
    add(
      'image-not-pinned',
      'warn',
      `The image ${image} is not pinned`,
      'a restart may bring another PgBouncer',
      'Pin a version, better a digest',
    );
  }
  if (/^(docker\.io\/)?bitnami(legacy)?\//.test(image)) {
    add(
      'image-bitnami',
      'warn',
      "The image is one of Bitnami's",
      'it left the free catalogue in August 2025 and gets no updates',
      'Use another image',
    );
  }
  if (version && !atLeast(version, 1, 25, 2)) {
    add(
      'pgbouncer-old',
      'warn',
      `PgBouncer ${version.text} is older than 1.25.2`,
      'CVE-2026-6667 and others are open',
      'Prefer 1.26.1 or later',
    );
  } else if (version && !atLeast(version, 1, 26, 1)) {
    add(
      'pgbouncer-cve',
      'warn',
      `PgBouncer ${version.text} is open to CVE-2026-107350`,
      'the holder of any userlist password could impersonate others over SCRAM',
      'Prefer 1.26.1 or later',
    );
  }
}

function checkProbes(container: KubeJson, add: Add): void {
  if (!container.readinessProbe) {
    add(
      'no-readiness',
      'warn',
      'PgBouncer has no readiness probe',
      'clients are sent to a pod that does not listen yet',
      'Add a tcpSocket probe on the port',
    );
  }
  for (const kind of ['livenessProbe', 'readinessProbe'] as const) {
    const text = JSON.stringify(container[kind]?.exec?.command ?? '');
    if (/psql|pg_isready|SELECT/i.test(text)) {
      add(
        'sql-probe',
        kind === 'livenessProbe' ? 'warn' : 'info',
        `The ${kind} talks SQL`,
        'an outage of PostgreSQL takes every pooler down as well, or a busy pool does',
        'Use tcpSocket',
      );
    }
  }
}

function checkShutdown(pod: KubeJson, container: KubeJson, version: PgBouncerVersion | undefined, add: Add): void {
  const hook = container.lifecycle?.preStop;
  const grace = Number(pod.terminationGracePeriodSeconds ?? 30);
  const sleep = Number(hook?.sleep?.seconds ?? /sleep\D*(\d+)/.exec(JSON.stringify(hook ?? ''))?.[1] ?? 0);
  if (!hook) {
    add(
      'no-pre-stop',
      'warn',
      'There is no preStop hook',
      'PgBouncer stops to accept before the endpoint is removed: connect errors at every roll',
      'Add preStop: sleep: seconds: 15',
    );
  } else if (sleep >= grace) {
    add(
      'grace-too-short',
      'warn',
      'The preStop hook takes the whole grace period',
      `sleep ${sleep} s, terminationGracePeriodSeconds ${grace}`,
      `Set terminationGracePeriodSeconds to ${sleep + 90}`,
    );
  } else if (version && !atLeast(version, 1, 23) && sleep < 45) {
    add(
      'term-cuts-clients',
      'warn',
      `PgBouncer ${version.text} cuts every client at SIGTERM`,
      `the preStop hook leaves them ${sleep} s to go by themselves`,
      "Let preStop sleep for the applications' max_lifetime plus 15 s, or run 1.23 or later, which waits for them",
    );
  } else if (version && atLeast(version, 1, 23) && grace - sleep < 60) {
    add(
      'drain-too-short',
      'info',
      'Clients have little time to leave',
      `PgBouncer ${version.text} waits for them after SIGTERM, ${grace - sleep} s here, then they are cut`,
      "Give the grace period the applications' max_lifetime plus 30 s",
    );
  }
}

function checkSecurity(pod: KubeJson, container: KubeJson, add: Add): void {
  const own = container.securityContext ?? {};
  const shared = pod.securityContext ?? {};
  const missing = [
    own.allowPrivilegeEscalation === false ? '' : 'allowPrivilegeEscalation: false',
    (own.runAsNonRoot ?? shared.runAsNonRoot) === true ? '' : 'runAsNonRoot: true',
    list(own.capabilities?.drop).includes('ALL') ? '' : 'capabilities.drop: [ALL]',
    (own.seccompProfile ?? shared.seccompProfile) ? '' : 'seccompProfile: RuntimeDefault',
  ].filter(Boolean);
  if (missing.length > 0) {
    add(
      'security-context',
      'info',
      'The pod is not fit for the restricted Pod Security Standard',
      `missing ${missing.join(', ')}`,
      'Add what is missing',
    );
  }
  if (!container.resources?.requests)
    add(
      'no-requests',
      'info',
      'PgBouncer has no resource requests',
      'it is among the first to be evicted',
      'Request 100m and 64Mi',
    );
}

function checkSecrets(objects: readonly KubeObject[], pod: KubeJson, add: Add): void {
  for (const container of [...list(pod.containers), ...list(pod.initContainers)]) {
    for (const entry of list(container.env)) {
      if (
        entry.value !== undefined &&
        (/PASS|SECRET/i.test(entry.name) || /:\/\/[^:/@\s]+:[^@\s]+@/.test(String(entry.value)))
      ) {
        add(
          'password-in-env',
          'block',
          `${container.name} has a password in clear in ${entry.name}`,
          'everybody who may read the Deployment, its ReplicaSets or its history reads it',
          'Use secretKeyRef',
        );
      }
    }
    if (/:\/\/[^:/@\s"]+:[^@\s"$]+@/.test(JSON.stringify([container.command, container.args]))) {
      add(
        'password-in-args',
        'block',
        `${container.name} has a password on its command line`,
        'it is in the object and in the process list',
        'Use an environment variable with secretKeyRef',
      );
    }
    for (const mount of list(container.volumeMounts)) {
      const volume = list(pod.volumes).find((each) => each.name === mount.name);
      if (mount.subPath && (volume?.secret || volume?.configMap)) {
        add(
          'sub-path',
          'warn',
          `${mount.mountPath} is a subPath mount`,
          'it never sees a changed Secret or ConfigMap, whatever is reloaded',
          'Mount the directory',
        );
      }
    }
  }
  for (const object of objects) {
    if (object.kind !== 'ConfigMap') continue;
    for (const [file, text] of Object.entries((object.data ?? {}) as Record<string, string>)) {
      if (/userlist/i.test(file) || /^\s*"[^"]+"\s+"(SCRAM-SHA-256\$|md5)?[^"]{6,}"/m.test(text)) {
        add(
          'userlist-in-configmap',
          'block',
          `The ConfigMap ${object.metadata.name} holds a userlist`,
          file,
          'Put it into a Secret',
        );
      }
    }
  }
}
