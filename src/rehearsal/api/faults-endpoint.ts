/**
 * `/rehearsal/v1/faults`: GET lists the rules, POST adds one (`FaultRule`) or acts at once (`{"do":"restart"}`, `"compact"`, `"clear"`,
 * `{"do":"revoke"|"restore","token":…}`), DELETE removes all or `?id=`.
 */
import { z } from 'zod';
import type { Json } from '../contract.ts';
import type { Access } from './access.ts';
import { badRequest, failure } from './errors.ts';
import type { FaultInjector } from './faults.ts';
import { MASTERS } from './rbac.ts';
import { type ApiRequest, readObject } from './request.ts';

const action = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('status'),
    code: z.union([401, 403, 409, 410, 429, 500, 503, 504].map((code) => z.literal(code as 401))),
    retryAfterSeconds: z.number().min(0).optional(),
  }),
  z.strictObject({ type: z.literal('delay'), milliseconds: z.number().min(0).max(600_000) }),
  z.strictObject({
    type: z.literal('drop'),
    when: z.enum(['before', 'after', 'late']),
    milliseconds: z.number().min(0).max(600_000).optional(),
  }),
  z.strictObject({
    type: z.literal('watch'),
    how: z.enum(['truncate', 'stall']),
    afterEvents: z.number().int().min(0),
  }),
]);
const rule = z.strictObject({
  id: z.string().optional(),
  method: z.string().optional(),
  path: z.string().optional(),
  nth: z.number().int().min(1).optional(),
  times: z.number().int().min(0).optional(),
  action,
});
const order = z.strictObject({
  do: z.enum(['restart', 'compact', 'clear', 'revoke', 'restore']),
  token: z.string().optional(),
});

export function handleFaults(faults: FaultInjector, access: Access, request: ApiRequest): Json {
  if (!request.user.groups.includes(MASTERS))
    throw failure(403, 'Forbidden', 'faults are for the admin of the rehearsal cluster');
  if (request.method === 'GET') return { rules: faults.list() };
  if (request.method === 'DELETE') {
    const id = request.query.get('id');
    if (id === null) faults.clear();
    else faults.remove(id);
    return { rules: faults.list() };
  }
  const body = readObject(request, 'FaultRule');
  if (body.do !== undefined) {
    const parsed = order.safeParse(body);
    if (!parsed.success) throw badRequest(z.prettifyError(parsed.error));
    carryOut(faults, access, parsed.data);
    return { rules: faults.list() };
  }
  const parsed = rule.safeParse(body);
  if (!parsed.success) throw badRequest(z.prettifyError(parsed.error));
  return { id: faults.add(parsed.data), rules: faults.list() };
}

function carryOut(faults: FaultInjector, access: Access, { do: what, token }: z.infer<typeof order>): void {
  if (what === 'compact') faults.compactHistory();
  else if (what === 'clear') faults.clear();
  // After the answer is out: the connection that asked is cut too.
  else if (what === 'restart') setTimeout(() => faults.restart(), 20).unref();
  else if (token === undefined) throw badRequest('token: required');
  else if (what === 'revoke') access.revoke(token);
  else access.restore(token);
}
