/**
 * Faults on demand: what a real API server does on its bad days, by request method, path and count. Scripted in the process or by
 * `POST /rehearsal/v1/faults`.
 */

import type { ApiStatusError } from '../contract.ts';
import { failure } from './errors.ts';

export type FaultAction =
  /** Answers with this code instead of doing anything. */
  | { type: 'status'; code: 401 | 403 | 409 | 410 | 429 | 500 | 503 | 504; retryAfterSeconds?: number }
  | { type: 'delay'; milliseconds: number }
  /**
   * Cuts the connection: `before` nothing happened, `after` the write landed and only the answer is lost, `late` the write
   * lands so many milliseconds (default 1000) after the cut.
   */
  | { type: 'drop'; when: 'before' | 'after' | 'late'; milliseconds?: number }
  /** Ends a watch cleanly after some events, or leaves it open and silent from then on. */
  | { type: 'watch'; how: 'truncate' | 'stall'; afterEvents: number };

export interface FaultRule {
  id?: string;
  /** Upper case; any when absent. */
  method?: string;
  /** Regular expression over the path with its query; any when absent. */
  path?: string;
  /** Counts matching requests from 1; the rule holds from this one on (default 1). */
  nth?: number;
  /** For how many requests (default 1; 0 = for ever). */
  times?: number;
  action: FaultAction;
}

export interface FaultInjector {
  /** Returns the rule's id. Throws a 400 `ApiStatusError` when the path isn't a regular expression. */
  add(rule: FaultRule): string;
  remove(id: string): void;
  clear(): void;
  /** The rules still in force, with how often each matched and was carried out. */
  list(): readonly (FaultRule & { id: string; matched: number; done: number })[];
  /** What happens to this request; counts it. */
  decide(method: string, url: string): FaultAction[];
  /** Forgets the past: watches from old revisions get 410. */
  compactHistory(): void;
  /** Cuts every connection, as a restarted server does; objects and resourceVersions stay. */
  restart(): void;
}

const MESSAGES: Record<number, [reason: string, message: string]> = {
  401: ['Unauthorized', 'Unauthorized'],
  403: ['Forbidden', 'forbidden: a fault was asked for'],
  409: [
    'Conflict',
    'Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again',
  ],
  410: ['Expired', 'The resourceVersion for the provided list is too old.'],
  429: ['TooManyRequests', 'Too many requests, please try again later.'],
  500: ['InternalError', 'Internal error occurred: etcdserver: leader changed'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'Timeout: request did not complete within the allotted timeout'],
};

/** The answer a `status` fault gives. */
export function faultStatus(action: FaultAction & { type: 'status' }): ApiStatusError {
  const [reason, message] = MESSAGES[action.code] ?? ['InternalError', 'Internal error occurred'];
  const details = action.retryAfterSeconds === undefined ? undefined : { retryAfterSeconds: action.retryAfterSeconds };
  return failure(action.code, reason, message, details);
}

export function createFaultInjector(hooks: { compactHistory: () => void; restart: () => void }): FaultInjector {
  const rules = new Map<string, FaultRule & { id: string; test: RegExp | undefined; matched: number; done: number }>();
  let serial = 0;
  return {
    add(rule) {
      serial += 1;
      const id = rule.id ?? `fault-${serial}`;
      let test: RegExp | undefined;
      try {
        test = rule.path === undefined ? undefined : new RegExp(rule.path);
      } catch (error) {
        throw failure(400, 'BadRequest', `path: ${(error as Error).message}`);
      }
      rules.set(id, { ...rule, id, test, matched: 0, done: 0 });
      return id;
    },
    remove: (id) => rules.delete(id),
    clear: () => rules.clear(),
    list: () => [...rules.values()].map(({ test: _test, ...rule }) => rule),
    decide(method, url) {
      const actions: FaultAction[] = [];
      for (const rule of [...rules.values()]) {
        if (rule.method !== undefined && rule.method !== method) continue;
        if (rule.test !== undefined && !rule.test.test(url)) continue;
        if (rule.action.type === 'watch' && !/[?&]watch=(true|1)\b/.test(url)) continue;
        rule.matched += 1;
        if (rule.matched < (rule.nth ?? 1)) continue;
        rule.done += 1;
        actions.push(rule.action);
        if (rule.times !== 0 && rule.done >= (rule.times ?? 1)) rules.delete(rule.id);
      }
      return actions;
    },
    compactHistory: hooks.compactHistory,
    restart: hooks.restart,
  };
}
