/**
 * From what the API server (or the network before it) said to a `WizardError` with a way out.
 * Shapes: recordings/kubernetes-1.36/10, 11, 16; policy: the table of API failure modes.
 */
import { type ErrorCode, type WizardError, wizardError } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { Json } from './types.ts';

/** The message of a JSON Patch whose `test` failed (or whose path is missing): 422, Invalid, with empty details. */
const PATCH_REFUSED = 'the server rejected our request due to an error in our request';

export interface HttpFailure {
  readonly status: number;
  /** Parsed `Status` body, or undefined when the body is something else (a load balancer's HTML). */
  readonly body?: Json;
  readonly text: string;
  readonly retryAfterSeconds?: number;
}

/** One sentence of a failed response. */
export function failureText(failure: HttpFailure): string {
  if (failure.body?.kind === 'Status' && failure.body.message) return sanitiseLine(failure.body.message, 1000);
  const plain = failure.text
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return sanitiseLine(plain === '' ? `HTTP ${failure.status}` : plain, 300);
}

/** `what` names the call: `patch deployment/identity-service in nova`. */
export function httpError(failure: HttpFailure, what: string): WizardError {
  const message = failureText(failure);
  const reason: string = failure.body?.reason ?? '';
  const details = { status: failure.status, reason, call: what };
  const make = (code: ErrorCode, text: string, more: Partial<WizardError> = {}) =>
    wizardError(code, text, { details, ...more });
  switch (failure.status) {
    case 401:
      return make('unauthenticated', `the cluster does not accept the credentials (${what})`, {
        cause: message,
        next: ['Log in again with your usual tool (for example your SSO login), then resume.', 'kubectl auth whoami'],
      });
    case 403:
      return make('not-authorised', `the cluster refuses to ${what}`, {
        cause: message,
        next: ['pgb-wizard preflight shows every permission the plan needs; pgb-wizard rbac -o yaml prints the Roles.'],
      });
    case 404:
      return make('not-found', message);
    case 409:
      return make(reason === 'AlreadyExists' ? 'already-exists' : 'conflict', message, {
        retryable: reason !== 'AlreadyExists',
      });
    case 410:
      return make('conflict', message, { retryable: true });
    case 422:
      return message.startsWith(PATCH_REFUSED) && !failure.body?.details?.kind
        ? make('precondition-failed', `the object is not what the plan saw (${what})`, { cause: message })
        : make('invalid-object', message, {
            // An admission policy says its words twice, the second time without a field.
            cause: ((failure.body?.details?.causes ?? []) as Json[])
              .filter((c) => c.field || !message.includes(sanitiseLine(c.message ?? '', 1000)))
              .map((c) => sanitiseLine(`${c.field ? `${c.field}: ` : ''}${c.message ?? ''}`, 300))
              .join('; '),
          });
    case 429:
      return make('rate-limited', `the cluster asks to slow down (${what})`, { cause: message, retryable: true });
    default:
      if (failure.status >= 500) {
        return make('api-unavailable', `the cluster could not ${what}: ${message}`, { retryable: true });
      }
      return make('invalid-object', message);
  }
}

const TLS_CODES = /^(ERR_TLS|CERT_|DEPTH_ZERO|UNABLE_TO|SELF_SIGNED|ERR_SSL|EPROTO|ERR_OSSL)/;

/** Errors of the network that mean: no byte of the request reached the server. */
export const neverSent = (code: string | undefined): boolean =>
  code === 'ECONNREFUSED' ||
  code === 'ENOTFOUND' ||
  code === 'EAI_AGAIN' ||
  code === 'EHOSTUNREACH' ||
  code === 'ENETUNREACH';

export function isTlsError(error: NodeJS.ErrnoException): boolean {
  return TLS_CODES.test(error.code ?? '') || /certificate|altnames|wrong version number/i.test(error.message);
}

/** A socket error before any response. */
export function networkError(error: NodeJS.ErrnoException, server: string, what: string): WizardError {
  const text = sanitiseLine(error.message, 300);
  if (isTlsError(error)) {
    return wizardError('cluster-unreachable', `TLS with ${server} fails: ${text}`, {
      cause:
        'The certificate does not match the kubeconfig (certificate-authority, tls-server-name), or the port speaks no TLS.',
      next: ['kubectl config view --minify', 'kubectl version'],
      details: { call: what, code: error.code ?? '' },
    });
  }
  const why: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there',
    ENOTFOUND: 'its name does not resolve',
    EAI_AGAIN: 'its name does not resolve at the moment',
    ETIMEDOUT: 'it does not answer',
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
    ECONNRESET: 'it closed the connection',
    EPIPE: 'it closed the connection',
  };
  return wizardError('cluster-unreachable', `cannot reach the cluster at ${server}: ${why[error.code ?? ''] ?? text}`, {
    cause: text,
    next: ['Check the VPN and the proxy, then: kubectl version'],
    retryable: true,
    details: { call: what, code: error.code ?? '' },
  });
}
