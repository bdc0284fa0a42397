/**
 * Validation of objects, with the fields, reasons and sentences of the real server (`pkg/apis/<group>/validation`). It covers
 * what people get wrong in the manifests of a migration; it isn't the whole of Kubernetes' validation.
 */
import type { Json, KubeObject } from '../../contract.ts';
import type { ResourceDefinition } from '../catalogue.ts';
import { type Cause, duplicate, forbiddenField, invalidValue, notSupported, required } from '../errors.ts';
import { matchesSelector } from '../selectors.ts';
import { isBase64 } from './secrets.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const ENV_NAME = /^[^=\x00-\x1f\x7f-\uffff]+$/;
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;
const CRON = /^(@\w+( .+)?|\S+ \S+ \S+ \S+ \S+)$/;

const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const CONFIG_KEY_TEXT =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/** Findings about `object`, in the order a real server reports them. Empty when valid. */
export function validate(definition: ResourceDefinition, object: KubeObject): Cause[] {
  const causes = validateMetadata(definition, object);
  if (definition.custom) return causes;
  kinds[object.kind]?.(object, causes);
  return causes;
}

export function validateMetadata(definition: ResourceDefinition, object: KubeObject): Cause[] {
  const causes: Cause[] = [];
  const { name } = object.metadata;
  if (name === undefined || name === '') {
    causes.push(required('metadata.name', 'name or generateName is required'));
  } else {
    const limit = definition.naming === 'subdomain' || definition.naming === 'path' ? 253 : 63;
    if (name.length > limit)
      causes.push(invalidValue('metadata.name', name, `must be no more than ${limit} characters`));
    if (definition.naming === 'label' && !LABEL.test(name))
      causes.push(invalidValue('metadata.name', name, LABEL_TEXT));
    if (definition.naming === 'label1035' && !LABEL_1035.test(name)) {
      causes.push(invalidValue('metadata.name', name, LABEL_1035_TEXT));
    }
    if (definition.naming === 'subdomain' && !SUBDOMAIN.test(name)) {
      causes.push(invalidValue('metadata.name', name, SUBDOMAIN_TEXT));
    }
  }
  labels(object.metadata.labels, 'metadata.labels', causes);
  for (const key of Object.keys(object.metadata.annotations ?? {})) {
    qualifiedKey(key.toLowerCase(), key, 'metadata.annotations', causes);
  }
  const size = Object.entries(object.metadata.annotations ?? {}).reduce((sum, [k, v]) => sum + k.length + v.length, 0);
  if (size > 262_144) {
    causes.push({
      reason: 'FieldValueTooLong',
      message: 'Too long: may not be more than 262144 bytes',
      field: 'metadata.annotations',
    });
  }
  return causes;
}

function qualifiedKey(tested: string, key: string, field: string, causes: Cause[]): void {
  const [first = '', second, extra] = tested.split('/');
  const prefixed = second !== undefined;
  if (prefixed && first === '') causes.push(invalidValue(field, key, 'prefix part must be non-empty'));
  else if (prefixed && !SUBDOMAIN.test(first)) causes.push(invalidValue(field, key, `prefix part ${SUBDOMAIN_TEXT}`));
  const name = prefixed ? second : first;
  if (extra !== undefined || !QUALIFIED.test(name)) causes.push(invalidValue(field, key, QUALIFIED_TEXT));
  else if (name.length > 63) causes.push(invalidValue(field, key, 'name part must be no more than 63 characters'));
}

function labels(values: Record<string, string> | undefined, field: string, causes: Cause[]): void {
  for (const [key, value] of Object.entries(values ?? {})) {
    qualifiedKey(key, key, field, causes);
    if (value.length > 63) causes.push(invalidValue(field, value, 'must be no more than 63 characters'));
    if (!LABEL_VALUE.test(value)) causes.push(invalidValue(field, value, LABEL_VALUE_TEXT));
  }
}

function nonNegative(value: Json, field: string, causes: Cause[]): void {
  if (typeof value === 'number' && value < 0) {
    causes.push(invalidValue(field, value, 'must be greater than or equal to 0'));
  }
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

function template(value: Json, path: string, causes: Cause[], restartPolicies: readonly string[]): void {
  labels(value?.metadata?.labels, `${path}.labels`, causes);
  podSpec(value?.spec ?? {}, `${path}.spec`, causes);
  const policy = value?.spec?.restartPolicy;
  if (policy !== undefined && !restartPolicies.includes(policy)) {
    causes.push(notSupported(`${path}.spec.restartPolicy`, policy, restartPolicies));
  }
}

function podSpec(spec: Json, path: string, causes: Cause[]): void {
  const volumes = new Set<string>();
  (spec.volumes ?? []).forEach((volume: Json, index: number) => {
    const field = `${path}.volumes[${index}].name`;
    if (!volume.name) causes.push(required(field));
    else if (!LABEL.test(volume.name)) causes.push(invalidValue(field, volume.name, LABEL_TEXT));
    else if (volumes.has(volume.name)) causes.push(duplicate(field, volume.name));
    volumes.add(volume.name);
    if (volume.secret !== undefined && !volume.secret.secretName) {
      causes.push(required(`${path}.volumes[${index}].secret.secretName`));
    }
    if (volume.configMap !== undefined && !volume.configMap.name) {
      causes.push(required(`${path}.volumes[${index}].configMap.name`));
    }
  });
  const names = new Set<string>();
  if ((spec.containers ?? []).length === 0) causes.push(required(`${path}.containers`));
  for (const list of ['containers', 'initContainers']) {
    (spec[list] ?? []).forEach((one: Json, index: number) => {
      container(one, `${path}.${list}[${index}]`, volumes, names, causes);
    });
  }
  nonNegative(spec.terminationGracePeriodSeconds, `${path}.terminationGracePeriodSeconds`, causes);
}

function container(value: Json, path: string, volumes: Set<string>, names: Set<string>, causes: Cause[]): void {
  if (!value.name) causes.push(required(`${path}.name`));
  else if (!LABEL.test(value.name)) causes.push(invalidValue(`${path}.name`, value.name, LABEL_TEXT));
  else if (names.has(value.name)) causes.push(duplicate(`${path}.name`, value.name));
  names.add(value.name);
  if (!value.image) causes.push(required(`${path}.image`));
  if (value.imagePullPolicy !== undefined && !['Always', 'IfNotPresent', 'Never'].includes(value.imagePullPolicy)) {
    causes.push(notSupported(`${path}.imagePullPolicy`, value.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']));
  }
  (value.ports ?? []).forEach((port: Json, index: number) => {
    const field = `${path}.ports[${index}].containerPort`;
    if (port.containerPort === undefined || port.containerPort === 0) causes.push(required(field));
    else if (port.containerPort < 1 || port.containerPort > 65535) {
      causes.push(invalidValue(field, port.containerPort, 'must be between 1 and 65535, inclusive'));
    }
  });
  (value.env ?? []).forEach((entry: Json, index: number) => {
    envEntry(entry, `${path}.env[${index}]`, causes);
  });
  const mounted = new Set<string>();
  (value.volumeMounts ?? []).forEach((mount: Json, index: number) => {
    const field = `${path}.volumeMounts[${index}]`;
    if (!mount.name) causes.push(required(`${field}.name`));
    else if (!volumes.has(mount.name)) {
      causes.push({
        reason: 'FieldValueNotFound',
        message: `Not found: ${JSON.stringify(mount.name)}`,
        field: `${field}.name`,
      });
    }
    if (!mount.mountPath) causes.push(required(`${field}.mountPath`));
    else if (mounted.has(mount.mountPath)) {
      causes.push(invalidValue(`${field}.mountPath`, mount.mountPath, 'must be unique'));
    }
    mounted.add(mount.mountPath);
  });
  resources(value.resources, `${path}.resources`, causes);
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    const found = value[probe];
    if (found === undefined) continue;
    const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((one) => found[one] !== undefined);
    if (handlers.length === 0) causes.push(required(`${path}.${probe}`, 'must specify a handler type'));
    for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'failureThreshold']) {
      nonNegative(found[field], `${path}.${probe}.${field}`, causes);
    }
  }
}

function envEntry(entry: Json, path: string, causes: Cause[]): void {
  if (!entry.name) causes.push(required(`${path}.name`));
  else if (!ENV_NAME.test(entry.name)) {
    causes.push(
      invalidValue(
        `${path}.name`,
        entry.name,
        "a valid environment variable name must consist only of printable ASCII characters other than '='",
      ),
    );
  }
  const from = entry.valueFrom;
  if (from === undefined) return;
  const sources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'].filter(
    (one) => from[one] !== undefined,
  );
  if (sources.length === 0) {
    causes.push(
      invalidValue(
        `${path}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  } else if (entry.value) {
    causes.push(invalidValue(`${path}.valueFrom`, '', 'may not be specified when `value` is not empty'));
  } else if (sources.length > 1) {
    causes.push(invalidValue(`${path}.valueFrom`, '', 'may not have more than one field specified at a time'));
  }
  for (const source of ['configMapKeyRef', 'secretKeyRef']) {
    if (from[source] !== undefined && !from[source].key) causes.push(required(`${path}.valueFrom.${source}.key`));
  }
}

const QUANTITY = /^[+-]?(\d+|\d+\.\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?$/;
const UNITS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A quantity as a number (`250m` is 0.25), or NaN when it isn't one. */
export function quantity(text: string): number {
  const match = QUANTITY.exec(text);
  if (match === null) return Number.NaN;
  const unit = match[2] ?? '';
  return /^[eE]/.test(unit) && unit.length > 1 ? Number(text) : Number(match[1]) * (UNITS[unit] ?? 1);
}

function resources(value: Json, path: string, causes: Cause[]): void {
  for (const [name, request] of Object.entries(value?.requests ?? {}) as [string, string][]) {
    const limit = value.limits?.[name];
    if (limit !== undefined && quantity(request) > quantity(limit)) {
      causes.push(invalidValue(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
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

function configKey(key: string, field: string, causes: Cause[]): void {
  if (key.length > 253) causes.push(invalidValue(field, key, 'must be no more than 253 characters'));
  if (!CONFIG_KEY.test(key)) causes.push(invalidValue(field, key, CONFIG_KEY_TEXT));
  else if (key === '.') causes.push(invalidValue(field, key, "must not be '.'"));
  else if (key === '..') causes.push(invalidValue(field, key, "must not be '..'"));
}
