/** Errors of the pod runtime with the API's `Status` body. */
import type { ApiStatusError, Json } from '../contract.ts';

export function statusError(code: number, reason: string, message: string, details?: Json): ApiStatusError {
  const status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code,
  };
  return Object.assign(new Error(message), { code, status });
}
