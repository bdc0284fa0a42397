/** The operator's own manifests as the steps need them: read once for each step, checked before anything is written. */
import { refOf } from '../kube/refs.ts';
import { checkManifests } from '../pgbouncer/check-manifests.ts';
import type { KubeObject } from '../pgbouncer/config-types.ts';
import { loadManifests } from '../pgbouncer/load-manifests.ts';
import { checkAgainstPlan, type OwnPooler, readOwnPooler } from '../pgbouncer/own-pooler.ts';
import type { Finding } from '../pgbouncer/types.ts';
import { parseVersion } from '../pgbouncer/version.ts';
import { loginsOf } from '../plan/logins.ts';
import { ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import type { LookContext, StepContext, StepFailure } from './types.ts';

export interface OwnManifests {
  readonly folder: string;
  readonly objects: readonly KubeObject[];
  readonly pooler?: OwnPooler;
  readonly findings: readonly Finding[];
}

/** Undefined when the plan names none. Errors: `plan-invalid`, when the folder or a file can't be read. */
export async function ownManifests(
  ctx: Pick<LookContext, 'plan' | 'fleet'>,
): Promise<Result<OwnManifests | undefined>> {
  const { manifests: folder, ...pooler } = ctx.plan.pooler;
  if (folder === undefined) return ok(undefined);
  const loaded = await loadManifests(folder, ctx.fleet.namespace);
  if (!loaded.ok) return loaded;
  const { version } = ctx.plan.pooler;
  const told = version === 'auto' ? undefined : parseVersion(version);
  const foreign = loaded.value.filter((object) => !refOf(object as Parameters<typeof refOf>[0]));
  const own = readOwnPooler(loaded.value);
  return ok({
    folder,
    objects: loaded.value,
    ...(own ? { pooler: own } : {}),
    findings: [
      ...foreign.map(
        (object): Finding => ({
          id: 'own-foreign-kind',
          severity: 'block',
          title: `The wizard does not apply objects of kind ${sanitiseLine(object.kind, 60)}`,
          detail: sanitiseLine(object.metadata.name, 120),
          fix: 'Apply it yourself and take it out of the folder',
        }),
      ),
      ...checkAgainstPlan(loaded.value, {
        service: pooler.name,
        port: pooler.port,
        replicas: pooler.replicas,
        userlistSecret: pooler.userlistSecret,
        adminUser: pooler.adminUser,
        statsUser: pooler.statsUser,
        logins: loginsOf(ctx.plan),
      }),
      ...checkManifests(loaded.value, told?.ok ? { version: told.value } : {}),
    ],
  });
}

/** Evidence of the findings; the failure names those that block. */
export function judgeOwn(ctx: StepContext, own: OwnManifests): StepFailure | undefined {
  const blocks = own.findings.filter((one) => one.severity === 'block');
  const count = (severity: Finding['severity']) => own.findings.filter((one) => one.severity === severity).length;
  ctx.evidence({
    check: 'own manifests',
    verdict: blocks.length > 0 ? 'fail' : 'pass',
    observed: `${own.objects.length} objects: ${blocks.length} findings that block, ${count('warn')} warnings, ${count('info')} notes`,
    expected: 'no finding that blocks',
    data: { findings: own.findings.map((one) => `${one.severity}: ${one.title}: ${one.detail}`) },
  });
  for (const one of own.findings.filter((each) => each.severity === 'warn'))
    ctx.message('warn', `${own.folder}: ${one.title}: ${one.detail}${one.fix ? `. ${one.fix}` : ''}`);
  if (blocks.length === 0) return undefined;
  return {
    cause: `the manifests in ${own.folder} would not carry the services: ${blocks.map((one) => `${one.title} (${one.detail})`).join('; ')}`,
    hint: blocks.map((one) => `${one.fix ?? 'Mend it'}.`).join(' '),
  };
}

export const warningsOf = (own: OwnManifests): string[] =>
  own.findings.map((one) => `${one.severity}: ${one.title} (${one.detail})${one.fix ? `. ${one.fix}` : ''}`);

/** Name of the pooler's Deployment: the plan's; with manifests of the operator's own, the owner of the pods that run. */
export async function poolerWorkload(ctx: LookContext): Promise<string> {
  if (ctx.plan.pooler.manifests === undefined) return ctx.plan.pooler.name;
  const pods = await ctx.pooler.pods(ctx.signal);
  const name = pods.ok ? pods.value[0]?.workload : undefined;
  return name ?? ctx.plan.pooler.name;
}
