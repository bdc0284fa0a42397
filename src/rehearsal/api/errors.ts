/**
 * The errors of the API: a `Status` body each, with the vocabulary and the wording of a real server (apimachinery's
 * `api/errors` and `util/validation/field`). Everything the rehearsal API refuses is refused through this file.
 */
import type { ApiStatusError, Json } from '../contract.ts';
import type { ResourceDefinition } from './catalogue.ts';

/** One finding of a validation: `field: type: detail`, as `field.Error` prints it. */
export interface Cause {
  reason: string;
  message: string;
  field: string;
}

class StatusFailure extends Error implements ApiStatusError {
  readonly code: number;
  readonly status: Json;
  constructor(status: Json) {
    super(status.message);
    this.name = 'ApiStatusError';
    this.code = status.code;
    this.status = status;
  }
}

/** Builds the error; `details` of `undefined` leaves the field out, as the real server does for some errors. */
export function failure(code: number, reason: string, message: string, details?: Json): ApiStatusError {
  const status: Json = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message };
  if (reason !== '') status.reason = reason;
  if (details !== undefined) status.details = details;
  status.code = code;
  return new StatusFailure(status);
}

export function isApiStatusError(error: unknown): error is ApiStatusError {
  return error instanceof Error && typeof (error as ApiStatusError).status === 'object' && 'code' in error;
}

/** `deployments.apps`, or `pods` in the core group. */
export function qualified(name: string, group: string): string {
  return group === '' ? name : `${name}.${group}`;
}

/** `details` of errors about one object: `kind` is the plural resource there. */
function about(definition: ResourceDefinition, name: string): Json {
  const details: Json = {};
  if (name !== '') details.name = name;
  if (definition.group !== '') details.group = definition.group;
  details.kind = definition.plural;
  return details;
}

export function notFound(definition: ResourceDefinition, name: string): ApiStatusError {
  return failure(
    404,
    'NotFound',
    `${qualified(definition.plural, definition.group)} "${name}" not found`,
    about(definition, name),
  );
}

export function alreadyExists(definition: ResourceDefinition, name: string): ApiStatusError {
  return failure(
    409,
    'AlreadyExists',
    `${qualified(definition.plural, definition.group)} "${name}" already exists`,
    about(definition, name),
  );
}

export const MODIFIED_MESSAGE =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(
  definition: ResourceDefinition,
  name: string,
  message: string = MODIFIED_MESSAGE,
): ApiStatusError {
  return failure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(definition.plural, definition.group)} "${name}": ${message}`,
    about(definition, name),
  );
}

/** 422 with causes; `details.kind` is the Kind here, unlike everywhere else. */
export function invalid(kind: string, group: string, name: string, causes: Cause[]): ApiStatusError {
  const lines = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const unique = [...new Set(lines)];
  const text = unique.length === 1 ? unique[0] : `[${unique.join(', ')}]`;
  const details: Json = {};
  if (name !== '') details.name = name;
  if (group !== '') details.group = group;
  if (kind !== '') details.kind = kind;
  details.causes = causes;
  return failure(422, 'Invalid', `${qualified(kind, group)} "${name}" is invalid: ${text}`, details);
}

export function badRequest(message: string): ApiStatusError {
  return failure(400, 'BadRequest', message);
}

export function forbidden(definition: ResourceDefinition, name: string, message: string): ApiStatusError {
  const subject = qualified(definition.plural, definition.group);
  return failure(
    403,
    'Forbidden',
    name === '' ? `${subject} is forbidden: ${message}` : `${subject} "${name}" is forbidden: ${message}`,
    about(definition, name),
  );
}

/** Go prints values of `field.Invalid` as JSON for strings, numbers and objects. */
export function required(field: string, detail = ''): Cause {
  return {
    reason: 'FieldValueRequired',
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
    field,
  };
}

export function invalidValue(field: string, value: Json, detail: string): Cause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value ?? null)}: ${detail}`, field };
}

export function duplicate(field: string, value: Json): Cause {
  return { reason: 'FieldValueDuplicate', message: `Duplicate value: ${JSON.stringify(value)}`, field };
}

export function notSupported(field: string, value: Json, supported: readonly string[]): Cause {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
    field,
  };
}

export function forbiddenField(field: string, detail: string): Cause {
  return { reason: 'FieldValueForbidden', message: `Forbidden: ${detail}`, field };
}
