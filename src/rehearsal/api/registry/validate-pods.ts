/** Pods and the templates of pods: volumes, containers, variables, probes, resources. */
import type { Json } from '../../contract.ts';
import { type Cause, duplicate, invalidValue, notSupported, required } from '../errors.ts';
import { quantity } from './quantity.ts';
import { LABEL, LABEL_TEXT, labels } from './validate-names.ts';

const ENV_NAME = /^[^=\x00-\x1f\x7f-\uffff]+$/;

export function nonNegative(value: Json, field: string, causes: Cause[]): void {
  if (typeof value === 'number' && value < 0) {
    causes.push(invalidValue(field, value, 'must be greater than or equal to 0'));
  }
}

export function template(value: Json, path: string, causes: Cause[], restartPolicies: readonly string[]): void {
  labels(value?.metadata?.labels, `${path}.labels`, causes);
  podSpec(value?.spec ?? {}, `${path}.spec`, causes);
  const policy = value?.spec?.restartPolicy;
  if (policy !== undefined && !restartPolicies.includes(policy)) {
    causes.push(notSupported(`${path}.spec.restartPolicy`, policy, restartPolicies));
  }
}

export function podSpec(spec: Json, path: string, causes: Cause[]): void {
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

function resources(value: Json, path: string, causes: Cause[]): void {
  for (const [name, request] of Object.entries(value?.requests ?? {}) as [string, string][]) {
    const limit = value.limits?.[name];
    if (limit !== undefined && quantity(request) > quantity(limit)) {
      causes.push(invalidValue(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
}
