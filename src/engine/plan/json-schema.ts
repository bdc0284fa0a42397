/** The published JSON schema of a plan file, made from the zod schema. */
import { z } from 'zod';
import { planSchema } from './schema.ts';

/** JSON schema 2020-12 of what an author writes: fields with defaults are optional. */
export function planJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(planSchema, { target: 'draft-2020-12', io: 'input' }) as Record<string, unknown>;
  const { $schema, ...rest } = schema;
  return {
    $schema,
    $id: 'plan.schema.json',
    title: 'pgb-wizard migration plan',
    description: 'Which services move to PgBouncer, in which order, against which limits.',
    ...rest,
  };
}

/** The text of `schema/plan.schema.json`. */
export function planJsonSchemaText(): string {
  return `${JSON.stringify(planJsonSchema(), null, 2)}\n`;
}
