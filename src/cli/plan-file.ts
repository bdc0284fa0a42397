/** `plan` and `config`: what is in a plan file, and whether it is right. No cluster is asked. */
import type { LoadedPlan } from '../engine/plan/load-types.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import type { Invocation } from './command.ts';
import type { configFlags } from './commands/config.ts';
import type { planFlags } from './commands/plan.ts';
import { write } from './io.ts';
import { envelope, isMachine, print, table } from './output.ts';
import { planOf } from './session.ts';

export async function config({ values, args, io, command }: Invocation<typeof configFlags>): Promise<Result<number>> {
  if (args[0] === 'schema') {
    const { planJsonSchema } = await import('../engine/plan/json-schema.ts');
    await print(io, values.output === 'yaml' ? 'yaml' : 'json', planJsonSchema());
    return ok(0);
  }
  if (args[1] !== undefined && values.plan !== undefined) {
    return fail('usage', 'The plan file is given twice: as an argument and with --plan.', { next: ['Leave one out.'] });
  }
  const plan = await planOf(args[1] ?? values.plan);
  if (!plan.ok) return plan;
  const { hash, source, plan: body } = plan.value;
  const services = body.phases.reduce((sum, phase) => sum + phase.services.length, 0);
  if (isMachine(values.output)) {
    await print(io, values.output, { ...envelope(command, 'done', 0), plan: body.name, source, hash, services });
  } else {
    await write(io.stdout, `plan ${body.name} (${source}) is valid: ${services} services, hash ${hash.slice(0, 12)}\n`);
  }
  return ok(0);
}

export async function showPlan({ values, io, command }: Invocation<typeof planFlags>): Promise<Result<number>> {
  const plan = await planOf(values.plan);
  if (!plan.ok) return plan;
  // YAML is the language of plan files: what is printed can be saved and edited.
  if (values.output === 'yaml') await print(io, 'yaml', plan.value.plan);
  else if (values.output === 'json') {
    const { hash, source } = plan.value;
    await print(io, 'json', { ...envelope(command, 'done', 0), hash, source, plan: plan.value.plan });
  } else await write(io.stdout, planText(plan.value));
  return ok(0);
}

/** What the plan says; a dash: the readiness probe's endpoint. */
function healthText({ health, skip }: LoadedPlan['plan']['phases'][number]['services'][number]): string {
  if (skip) return `skipped: ${skip}`;
  if (!health.enabled) return 'none';
  return health.port === undefined && health.path === undefined ? '-' : `:${health.port ?? '*'}${health.path ?? '*'}`;
}

export function planText({ plan, source, hash }: LoadedPlan): string {
  const { postgres, pooler } = plan;
  const head = table([
    ['plan', `${plan.name} (${source}), hash ${hash.slice(0, 12)}`],
    ['namespace', plan.namespace],
    ['from', `${postgres.service}:${postgres.port}`],
    ['to', `${pooler.name}:${pooler.port}`],
    ['variable', plan.env],
  ]);
  const rows = plan.phases.flatMap((phase) => [
    ...phase.services.map((service) => [
      phase.id,
      service.name,
      service.kind,
      service.batch ?? '',
      service.rolloutTimeout,
      healthText(service),
    ]),
    ...(phase.soak ? [[phase.id, `(decision after ${phase.soak})`, '', '', '', '']] : []),
  ]);
  return `${head}\n${table([['PHASE', 'SERVICE', 'KIND', 'BATCH', 'LIMIT', 'HEALTH'], ...rows])}`;
}
