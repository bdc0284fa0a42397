/** A plan that was read, checked and hashed (load.ts). */
import type { Plan } from './schema.ts';

export interface LoadedPlan {
  readonly plan: Plan;
  /** sha256 of the canonical JSON of the plan with all its defaults filled in: formatting and comments don't count. */
  readonly hash: string;
  /** Where it came from: a path as the operator gave it, or `built-in nova`. */
  readonly source: string;
}
