/** Who else writes a workload, and whether they would undo our change. */
import { sanitiseLine } from '../sanitise.ts';
import { canonicalJson, templateOf } from './fingerprint.ts';
import type { Json, KubeObject } from './types.ts';
import type { Consumer, ManagerClass, ManagerVerdict } from './workload-types.ts';

interface Sign {
  readonly class: ManagerClass;
  readonly manager: string;
  readonly reason: string;
}

const RANK: Record<ManagerClass, number> = { FREE: 0, UNKNOWN: 1, WILL_REVERT_LATER: 2, WILL_REVERT_NOW: 3 };

/** Argo CD's `Application`, when it could be read: by name. */
export type ArgoApplications = ReadonlyMap<string, Json>;

/** A place that a switch changes. */
type Declared = Pick<Consumer, 'container' | 'name' | 'source'>;

/** `places`: what is to change, to look for it in last-applied-configuration. */
export function classifyManager(
  object: KubeObject,
  places: readonly Declared[],
  applications: ArgoApplications = new Map(),
): ManagerVerdict {
  const signs = [
    argo(object, applications),
    flux(object),
    helm(object),
    lastApplied(object, places),
    owner(object),
    unknownManagers(object),
  ].filter((s) => s !== undefined);
  // The worst first: what stops a switch is told before what only undoes it some day.
  signs.sort((a, b) => RANK[b.class] - RANK[a.class]);
  return {
    class: signs[0]?.class ?? 'FREE',
    managers: [...new Set(signs.map((s) => s.manager))],
    reasons: signs.map((s) => s.reason),
  };
}

const meta = (object: KubeObject, field: 'annotations' | 'labels', key: string): string | undefined =>
  object.metadata?.[field]?.[key];

const hasManager = (object: KubeObject, pattern: RegExp): boolean =>
  (object.metadata.managedFields ?? []).some((m: Json) => pattern.test(m.manager ?? ''));

const ARGO_TRACKING = 'argocd.argoproj.io/tracking-id';

/** Does Argo CD write this object? */
export const isArgos = (object: KubeObject): boolean =>
  meta(object, 'annotations', ARGO_TRACKING) !== undefined || hasManager(object, /^argocd/);

function argo(object: KubeObject, applications: ArgoApplications): Sign | undefined {
  if (!isArgos(object)) return undefined;
  const tracking = meta(object, 'annotations', ARGO_TRACKING);
  const name = sanitiseLine(
    tracking?.split(':')[0] ?? meta(object, 'labels', 'app.kubernetes.io/instance') ?? 'unknown',
    100,
  );
  const automated = applications.get(name)?.spec?.syncPolicy?.automated;
  const known = applications.has(name);
  const manager = `Argo CD application ${name}`;
  if (known && !(automated && automated.enabled !== false && automated.selfHeal)) {
    return {
      class: 'WILL_REVERT_LATER',
      manager: `${manager} (self-heal off)`,
      reason: `Argo CD will put the old value back at its next sync of ${name}: commit the change before.`,
    };
  }
  return {
    class: 'WILL_REVERT_NOW',
    manager: known ? `${manager} (self-heal on)` : manager,
    reason: known
      ? `Argo CD heals ${name} within seconds: change it in Git, or pause auto-sync of ${name} first.`
      : `Argo CD manages it and its application ${name} is not readable from here: assume that it heals; pause auto-sync, or change it in Git.`,
  };
}

function flux(object: KubeObject): Sign | undefined {
  const kustomization = meta(object, 'labels', 'kustomize.toolkit.fluxcd.io/name');
  if (kustomization !== undefined || hasManager(object, /^kustomize-controller$/)) {
    const name = sanitiseLine(kustomization ?? 'unknown', 100);
    const off =
      meta(object, 'annotations', 'kustomize.toolkit.fluxcd.io/reconcile') === 'disabled' ||
      meta(object, 'annotations', 'kustomize.toolkit.fluxcd.io/ssa') === 'Ignore';
    return off
      ? {
          class: 'WILL_REVERT_LATER',
          manager: `Flux Kustomization ${name} (reconcile disabled)`,
          reason: `Flux leaves it alone now; once enabled again, Kustomization ${name} puts the old value back unless Git has the new one.`,
        }
      : {
          class: 'WILL_REVERT_NOW',
          manager: `Flux Kustomization ${name}`,
          reason: `Flux puts its fields back at each interval: flux suspend kustomization ${name}, or change it in Git.`,
        };
  }
  const release = meta(object, 'labels', 'helm.toolkit.fluxcd.io/name');
  if (release === undefined) return undefined;
  const name = sanitiseLine(release, 100);
  return {
    class: 'WILL_REVERT_LATER',
    manager: `Flux HelmRelease ${name}`,
    reason: `HelmRelease ${name} puts the old value back at its next upgrade (at once, if drift correction is on): change its values.`,
  };
}

function helm(object: KubeObject): Sign | undefined {
  const release = meta(object, 'annotations', 'meta.helm.sh/release-name');
  if (release === undefined && meta(object, 'labels', 'app.kubernetes.io/managed-by') !== 'Helm') return undefined;
  const name = sanitiseLine(release ?? 'unknown', 100);
  return {
    class: 'WILL_REVERT_LATER',
    manager: `Helm release ${name}`,
    reason: `The next helm upgrade of ${name} puts the old value back (or stops with a conflict): change its values before.`,
  };
}

/** Declared in the manifest that was applied: the next apply reverts. Not declared: it survives. */
function lastApplied(object: KubeObject, places: readonly Declared[]): Sign | undefined {
  const text = meta(object, 'annotations', 'kubectl.kubernetes.io/last-applied-configuration');
  if (text === undefined) {
    return hasManager(object, /^kubectl$/) &&
      (object.metadata.managedFields ?? []).some((m: Json) => m.manager === 'kubectl' && m.operation === 'Apply')
      ? {
          class: 'WILL_REVERT_LATER',
          manager: 'kubectl apply --server-side',
          reason:
            'The next server-side apply of the old manifest conflicts with the change or reverts it: change the manifest before.',
        }
      : undefined;
  }
  let declared: string[];
  try {
    const template = templateOf(JSON.parse(text));
    declared = places.filter((place) => isDeclared(template, place)).map(({ name }) => name);
    if (places.length === 0 && canonicalJson(template ?? {}) === '{}') return undefined;
  } catch {
    return {
      class: 'UNKNOWN',
      manager: 'kubectl apply',
      reason: 'last-applied-configuration is not readable: a later kubectl apply may revert the change.',
    };
  }
  if (declared.length === 0) return undefined;
  return {
    class: 'WILL_REVERT_LATER',
    manager: 'kubectl apply',
    reason: `The manifest that was applied declares ${[...new Set(declared)].map((d) => sanitiseLine(d, 80)).join(', ')}: the next kubectl apply of the old file puts the old value back, so change the file too.`,
  };
}

/** A variable by its name; arguments and volumes come back as whole lists and entries. */
function isDeclared(template: Json, { container, name, source }: Declared): boolean {
  const spec = template?.spec ?? {};
  const own = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].filter((c: Json) => c.name === container);
  switch (source) {
    case 'argument':
      return own.some((c: Json) => c.args !== undefined || c.command !== undefined);
    case 'file':
      return (spec.volumes ?? []).some((volume: Json) => name.startsWith(`${volume.name}/`));
    default:
      return own.some((c: Json) => (c.env ?? []).some((e: Json) => e.name === name));
  }
}

function owner(object: KubeObject): Sign | undefined {
  const controller = (object.metadata.ownerReferences ?? []).find((o: Json) => o.controller);
  if (!controller) return undefined;
  const name = sanitiseLine(`${controller.kind}/${controller.name}`, 120);
  return {
    class: 'WILL_REVERT_NOW',
    manager: name,
    reason: `${name} owns it and usually writes its fields back within seconds: change ${name} instead.`,
  };
}

const HARMLESS =
  /^(kubectl|kubectl-.*|kube-controller-manager|pgb-wizard|helm|argocd.*|kustomize-controller|helm-controller|before-first-apply|ancient-changes|Mozilla|node-fetch|unknown|kubernetes-client-javascript|k9s|lens|rancher|OpenAPI-Generator|curl|undici|terraform|.*vpa.*|keda.*|.*hpa.*)/i;

/** Somebody we do not know writes the pod template. */
function unknownManagers(object: KubeObject): Sign | undefined {
  const strangers = (object.metadata.managedFields ?? []).filter(
    (m: Json) =>
      m.subresource !== 'status' &&
      !HARMLESS.test(m.manager ?? '') &&
      m.fieldsV1?.['f:spec']?.['f:template'] !== undefined,
  );
  if (strangers.length === 0) return undefined;
  const name = sanitiseLine(strangers[0].manager, 80);
  return {
    class: 'UNKNOWN',
    manager: name,
    reason: `${name} has written its pod template before; nobody here knows whether it will again.`,
  };
}

/**
 * The manager that wrote the value of an env entry, according to managedFields; the newest one when several did. Others
 * may still own the entry's name alone (the one who created it does).
 */
export function managerOfEntry(object: KubeObject, container: string, name: string): string | undefined {
  const wrote = (object.metadata?.managedFields ?? []).filter((m: Json) => {
    const spec = m.fieldsV1?.['f:spec'];
    const template =
      object.kind === 'CronJob' ? spec?.['f:jobTemplate']?.['f:spec']?.['f:template'] : spec?.['f:template'];
    return ['f:containers', 'f:initContainers'].some((list) => {
      const entry = template?.['f:spec']?.[list]?.[`k:{"name":"${container}"}`]?.['f:env']?.[`k:{"name":"${name}"}`];
      return entry?.['f:value'] !== undefined || Object.keys(entry?.['f:valueFrom'] ?? {}).some((key) => key !== '.');
    });
  });
  wrote.sort((a: Json, b: Json) => String(b.time ?? '').localeCompare(String(a.time ?? '')));
  return wrote[0] ? sanitiseLine(wrote[0].manager, 100) : undefined;
}
