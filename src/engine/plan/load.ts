/** Reads a plan file, checks it, fills in the defaults and hashes it. Without a path it is the guide's own plan. */
import { readFile } from 'node:fs/promises';
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { hashOf } from './canonical.ts';
import type { LoadedPlan } from './load-types.ts';
import { NOVA_PLAN } from './nova.ts';
import { parsePlan } from './parse.ts';
import { type Plan, type PlanInput, planSchema } from './schema.ts';

export type { LoadedPlan } from './load-types.ts';

/** A plan file larger than this is not a plan. */
const LARGEST_BYTES = 4 * 1024 * 1024;

/** `path` undefined gives the guide's plan. Errors: `not-found`, `plan-invalid` (with line, column and a suggestion). */
export async function loadPlan(path: string | undefined): Promise<Result<LoadedPlan>> {
  if (path === undefined) return ok(loadedPlan(NOVA_PLAN, 'built-in nova'));
  const source = sanitiseLine(path);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return fail('plan-invalid', `plan ${source} cannot be read: ${code === 'ENOENT' ? 'no such file' : code}`, {
      next: ['Give the path of a plan file with --plan, or write one with: pgb-wizard init'],
      details: { source, reason: code },
    });
  }
  if (Buffer.byteLength(text) > LARGEST_BYTES) {
    return fail('plan-invalid', `plan ${source} is larger than 4 MiB`, { details: { source } });
  }
  const parsed = parsePlan(text, source);
  return parsed.ok ? ok({ plan: parsed.value, hash: hashOf(parsed.value), source }) : parsed;
}

/** A plan that was made in code (the guide's, `init`); throws when it is not valid, which is a bug. */
export function loadedPlan(input: PlanInput, source: string): LoadedPlan {
  const plan: Plan = planSchema.parse(input);
  return { plan, hash: hashOf(plan), source };
}

/** The plan as a journal kept it (`run.started`), for a resume. */
export function planFromJournal(value: unknown, hash: string): Result<LoadedPlan> {
  const parsed = planSchema.safeParse(value);
  if (!parsed.success || hashOf(parsed.data) !== hash) {
    return fail('plan-mismatch', 'the plan in the journal is not one this version understands', {
      next: ['Resume with the version of pgb-wizard that started the run'],
    });
  }
  return ok({ plan: parsed.data, hash, source: 'journal' });
}
