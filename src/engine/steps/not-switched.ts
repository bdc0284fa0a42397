/** Services of the plan that this run leaves where they are, and why: the plan says so, or they can't be moved as they are. */
import type { StepContext } from './types.ts';

const reasons = (ctx: StepContext, key: 'blocked' | 'notSwitched' | 'pooledBefore'): Readonly<Record<string, string>> =>
  (ctx.state().facts[key] as Record<string, string> | undefined) ?? {};

/** Before p1.prepare: what the plan leaves out, and what the preflight found and somebody (or the policy) agreed to leave out. */
export function leftOut(ctx: StepContext, service: string): string | undefined {
  return ctx.fleet.service(service)?.skip ?? reasons(ctx, 'blocked')[service] ?? reasons(ctx, 'pooledBefore')[service];
}

/** From p1.prepare on. */
export const whyNotSwitched = (ctx: StepContext, service: string): string | undefined =>
  reasons(ctx, 'notSwitched')[service] ?? leftOut(ctx, service);

/** It reached the pooler before this run: not this run's to switch or to take back, but watched and proved like the others. */
export const wasPooledBefore = (ctx: StepContext, service: string): boolean =>
  reasons(ctx, 'pooledBefore')[service] !== undefined;

export const isNotSwitched = (ctx: StepContext, service: string): boolean => whyNotSwitched(ctx, service) !== undefined;

/**
 * Services whose change was made: those on the pooler, and those whose rollout nobody saw to its end and somebody let pass.
 * What is not proved of them is looked at all the more.
 */
export const switchedOf = (ctx: StepContext, services: readonly string[]): string[] =>
  services.filter((name) =>
    ctx.state().services.some((one) => one.name === name && (one.state === 'pooled' || one.state === 'switching')),
  );
