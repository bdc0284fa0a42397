/** An object for the record: no managed fields, no credential in a literal, no data of a Secret. */
import type { JsonValue } from '../run/model.ts';
import { sanitiseLine } from '../sanitise.ts';
import { MASK } from '../secret.ts';
import type { Json, KubeObject } from './types.ts';

const CREDENTIAL_NAME =
  /pass(?:word|wd)?|secret|token|credential|api_?key|private_?key|dsn|_url$|_uri$|connection_?string/i;

/** A copy without `managedFields`, `last-applied-configuration`, env literals that look like credentials, and Secret data. */
export function redactObject(object: KubeObject): JsonValue {
  const copy: Json = structuredClone(object);
  delete copy.metadata?.managedFields;
  delete copy.metadata?.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  if (copy.kind === 'Secret') {
    for (const field of ['data', 'stringData']) {
      for (const key of Object.keys(copy[field] ?? {})) copy[field][key] = MASK;
    }
  }
  return clean(copy) as JsonValue;
}

function clean(value: Json): Json {
  if (typeof value === 'string')
    return value
      .split('\n')
      .map((line) => sanitiseLine(line))
      .join('\n');
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== 'object') return value;
  const masked = typeof value.name === 'string' && typeof value.value === 'string' && CREDENTIAL_NAME.test(value.name);
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, masked && key === 'value' ? MASK : clean(one)]),
  );
}

const HOST_VARIABLE = /(^|_|-|\.|^PG)(HOST(NAME|ADDR)?|ADDR(ESS)?|SERVER|ENDPOINT)$/i;
const PORT_VARIABLE = /(^|_|-|\.|^PG)PORT$/i;

/**
 * May the value of a variable be shown because it is a host or a port? By the last word of its name (`REPORT_TOKEN` is no port)
 * and by what it looks like.
 */
export function isHostOrPort(name: string, value: string): boolean {
  if (PORT_VARIABLE.test(name)) return /^\d{1,5}$/.test(value);
  return HOST_VARIABLE.test(name) && value.length < 64 && /^[a-z0-9.-]+(:\d{1,5})?$/.test(value);
}
