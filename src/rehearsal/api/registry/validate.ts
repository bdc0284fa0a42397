/**
 * Validation of objects, with the fields, reasons and sentences of the real server (`pkg/apis/<group>/validation`). It covers
 * what people get wrong in the manifests of a migration; it isn't the whole of Kubernetes' validation.
 */
import type { Json, KubeObject } from '../../contract.ts';
import type { ResourceDefinition } from '../catalogue.ts';
import { type Cause, duplicate, forbiddenField, invalidValue, notSupported, required } from '../errors.ts';
import { matchesSelector } from '../selectors.ts';
import { isBase64 } from './secrets.ts';
import { configKey, LABEL, LABEL_TEXT, validateMetadata } from './validate-names.ts';
import { nonNegative, podSpec, template } from './validate-pods.ts';

const CRON = /^(@\w+( .+)?|\S+ \S+ \S+ \S+ \S+)$/;

/** Findings about `object`, in the order a real server reports them. Empty when valid. */
export function validate(definition: ResourceDefinition, object: KubeObject): Cause[] {
  const causes = validateMetadata(definition, object);
  if (definition.custom) return causes;
  kinds[object.kind]?.(object, causes);
  return causes;
}

/** Selector present, not empty, and matched by the template's labels. */
function selectorAndTemplate(object: KubeObject, causes: Cause[], allowed: readonly string[]): void {
  const spec = object.spec ?? {};
  const selector = spec.selector;
  if (selector === undefined) causes.push(required('spec.selector'));
  else if (selector.matchLabels === undefined && selector.matchExpressions === undefined) {
    causes.push(invalidValue('spec.selector', selector, `empty selector is invalid for ${object.kind.toLowerCase()}`));
  }
  const found = spec.template?.metadata?.labels ?? {};
  if (selector !== undefined && !matchesSelector(selector, found)) {
    causes.push(invalidValue('spec.template.metadata.labels', found, '`selector` does not match template `labels`'));
  }
  template(spec.template, 'spec.template', causes, allowed);
}

const kinds: Record<string, (object: KubeObject, causes: Cause[]) => void> = {
  Pod(object, causes) {
    podSpec(object.spec ?? {}, 'spec', causes);
  },
  Deployment(object, causes) {
    nonNegative(object.spec?.replicas, 'spec.replicas', causes);
    selectorAndTemplate(object, causes, ['Always']);
    const rolling = object.spec?.strategy?.rollingUpdate;
    if (object.spec?.strategy?.type === 'Recreate' && rolling !== undefined) {
      causes.push(
        forbiddenField('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"),
      );
    }
    if (object.spec?.strategy?.type === 'RollingUpdate') {
      const zero = (value: Json) => value === 0 || value === '0' || value === '0%';
      if (zero(rolling?.maxUnavailable) && zero(rolling?.maxSurge)) {
        causes.push(
          invalidValue(
            'spec.strategy.rollingUpdate.maxUnavailable',
            rolling.maxUnavailable,
            'may not be 0 when `maxSurge` is 0',
          ),
        );
      }
    } else if (object.spec?.strategy?.type !== 'Recreate') {
      causes.push(notSupported('spec.strategy.type', object.spec?.strategy?.type, ['Recreate', 'RollingUpdate']));
    }
    nonNegative(object.spec?.minReadySeconds, 'spec.minReadySeconds', causes);
    nonNegative(object.spec?.revisionHistoryLimit, 'spec.revisionHistoryLimit', causes);
    const deadline = object.spec?.progressDeadlineSeconds;
    nonNegative(deadline, 'spec.progressDeadlineSeconds', causes);
    if (deadline !== undefined && deadline <= (object.spec?.minReadySeconds ?? 0)) {
      causes.push(invalidValue('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'));
    }
  },
  ReplicaSet(object, causes) {
    nonNegative(object.spec?.replicas, 'spec.replicas', causes);
    selectorAndTemplate(object, causes, ['Always']);
  },
  StatefulSet(object, causes) {
    nonNegative(object.spec?.replicas, 'spec.replicas', causes);
    selectorAndTemplate(object, causes, ['Always']);
  },
  DaemonSet(object, causes) {
    selectorAndTemplate(object, causes, ['Always']);
  },
  Job(object, causes) {
    nonNegative(object.spec?.backoffLimit, 'spec.backoffLimit', causes);
    job(object.spec, 'spec', causes);
  },
  CronJob(object, causes) {
    const schedule = object.spec?.schedule;
    if (!schedule) causes.push(required('spec.schedule'));
    else if (!CRON.test(schedule)) {
      const fields = schedule.trim().split(/\s+/);
      causes.push(
        invalidValue(
          'spec.schedule',
          schedule,
          `expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`,
        ),
      );
    }
    job(object.spec?.jobTemplate?.spec, 'spec.jobTemplate.spec', causes);
  },
  Service(object, causes) {
    const spec = object.spec ?? {};
    if (spec.type === 'ExternalName') return;
    if ((spec.ports ?? []).length === 0 && spec.clusterIP !== 'None') causes.push(required('spec.ports'));
    const names = new Set<string>();
    (spec.ports ?? []).forEach((port: Json, index: number) => {
      const field = `spec.ports[${index}]`;
      if (!port.name && spec.ports.length > 1) causes.push(required(`${field}.name`));
      else if (port.name !== undefined && !LABEL.test(port.name))
        causes.push(invalidValue(`${field}.name`, port.name, LABEL_TEXT));
      else if (port.name !== undefined && names.has(port.name)) causes.push(duplicate(`${field}.name`, port.name));
      names.add(port.name);
      if (!(port.port >= 1 && port.port <= 65535)) {
        causes.push(invalidValue(`${field}.port`, port.port ?? 0, 'must be between 1 and 65535, inclusive'));
      }
    });
  },
  Secret(object, causes) {
    let size = 0;
    for (const [key, value] of Object.entries(object.data ?? {}) as [string, string][]) {
      configKey(key, `data[${key}]`, causes);
      if (!isBase64(value)) causes.push(invalidValue(`data[${key}]`, value, 'illegal base64 data'));
      size += Math.floor((value.length * 3) / 4);
    }
    if (size > 1024 * 1024) {
      causes.push({
        reason: 'FieldValueTooLong',
        message: 'Too long: may not be more than 1048576 bytes',
        field: 'data',
      });
    }
  },
  ConfigMap(object, causes) {
    let size = 0;
    for (const [key, value] of Object.entries({ ...object.data, ...object.binaryData }) as [string, string][]) {
      configKey(key, object.data?.[key] === undefined ? `binaryData[${key}]` : `data[${key}]`, causes);
      size += Buffer.byteLength(value);
    }
    if (size > 1024 * 1024) {
      causes.push({ reason: 'FieldValueTooLong', message: 'Too long: may not be more than 1048576 bytes', field: '' });
    }
  },
  Lease(object, causes) {
    const spec = object.spec ?? {};
    if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) {
      causes.push(invalidValue('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0'));
    }
    if (spec.leaseTransitions !== undefined && spec.leaseTransitions < 0) {
      causes.push(invalidValue('spec.leaseTransitions', spec.leaseTransitions, 'must be greater than or equal to 0'));
    }
  },
  HorizontalPodAutoscaler(object, causes) {
    const spec = object.spec ?? {};
    if (!(spec.maxReplicas >= 1)) {
      causes.push(invalidValue('spec.maxReplicas', spec.maxReplicas ?? 0, 'must be greater than 0'));
    } else if (spec.minReplicas !== undefined && spec.maxReplicas < spec.minReplicas) {
      causes.push(invalidValue('spec.maxReplicas', spec.maxReplicas, 'must be greater than or equal to `minReplicas`'));
    }
    if (!spec.scaleTargetRef?.name) causes.push(required('spec.scaleTargetRef.name'));
  },
  PodDisruptionBudget(object, causes) {
    const spec = object.spec ?? {};
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      causes.push(invalidValue('spec', '', 'minAvailable and maxUnavailable cannot be both set'));
    }
  },
};

function job(spec: Json, path: string, causes: Cause[]): void {
  const policy = spec?.template?.spec?.restartPolicy;
  template(spec?.template, `${path}.template`, causes, ['Always', 'OnFailure', 'Never']);
  if (policy === 'Always' || policy === undefined) {
    causes.push({
      reason: 'FieldValueRequired',
      message: 'Required value: valid values: "OnFailure", "Never"',
      field: `${path}.template.spec.restartPolicy`,
    });
  }
}
