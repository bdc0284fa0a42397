/** Conditions of Deployments, kept in the order in which the real controller leaves them. */
import type { Json } from '../contract.ts';
import { now } from './events.ts';

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  lastUpdateTime?: string;
  lastTransitionTime: string;
  reason: string;
  message: string;
}

export function condition(type: string, status: Condition['status'], reason: string, message: string): Condition {
  const at = now();
  return { type, status, lastUpdateTime: at, lastTransitionTime: at, reason, message };
}

export const findCondition = (status: Json, type: string): Condition | undefined =>
  (status?.conditions ?? []).find((item: Condition) => item.type === type);

/** Same status and reason: nothing changes. Otherwise the condition moves to the end, keeping its transition time while the status is the same. */
export function setCondition(status: Json, next: Condition): void {
  const current = findCondition(status, next.type);
  if (current && current.status === next.status && current.reason === next.reason) return;
  const kept =
    current && current.status === next.status ? { ...next, lastTransitionTime: current.lastTransitionTime } : next;
  removeCondition(status, next.type);
  status.conditions = [...(status.conditions ?? []), kept];
}

export function removeCondition(status: Json, type: string): void {
  if (status.conditions) status.conditions = status.conditions.filter((item: Condition) => item.type !== type);
}
