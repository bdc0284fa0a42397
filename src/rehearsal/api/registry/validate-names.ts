/** Names, labels, annotations and keys, as the server checks them of every object. */
import type { KubeObject } from '../../contract.ts';
import type { ResourceDefinition } from '../catalogue.ts';
import { type Cause, invalidValue, required } from '../errors.ts';

export const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;

export const LABEL_TEXT =
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

export function labels(values: Record<string, string> | undefined, field: string, causes: Cause[]): void {
  for (const [key, value] of Object.entries(values ?? {})) {
    qualifiedKey(key, key, field, causes);
    if (value.length > 63) causes.push(invalidValue(field, value, 'must be no more than 63 characters'));
    if (!LABEL_VALUE.test(value)) causes.push(invalidValue(field, value, LABEL_VALUE_TEXT));
  }
}

export function configKey(key: string, field: string, causes: Cause[]): void {
  if (key.length > 253) causes.push(invalidValue(field, key, 'must be no more than 253 characters'));
  if (!CONFIG_KEY.test(key)) causes.push(invalidValue(field, key, CONFIG_KEY_TEXT));
  else if (key === '.') causes.push(invalidValue(field, key, "must not be '.'"));
  else if (key === '..') causes.push(invalidValue(field, key, "must not be '..'"));
}
