/** The permissions of a plan, asked before anything is written: which are missing, and where a run would stop for each. */
import { checkAccess } from '../kube/access.ts';
import { neededAccess } from '../kube/access-needs.ts';
import type { AccessRow } from '../kube/option-types.ts';
import type { Discovery } from '../kube/workload-types.ts';
import { loadManifests } from '../pgbouncer/load-manifests.ts';
import type { Plan } from '../plan/schema.ts';
import { wizardError } from '../result.ts';
import type { Verdict } from '../run/model.ts';
import { type AccessFacts, accessInput } from './plan-facts.ts';
import type { StepContext, StepFailure } from './types.ts';
import { isOutside } from './upstream.ts';

/** Names of evidence are stable: a record, a screen and the command `preflight` find them by it. */
export const PERMISSIONS = 'permissions';

/** `patch deployments.apps identity-service`, as the table and the causes say it. */
export function permissionText(row: Pick<AccessRow, 'verb' | 'group' | 'resource' | 'subresource' | 'name'>): string {
  const resource = `${row.resource}${row.group ? `.${row.group}` : ''}${row.subresource ? `/${row.subresource}` : ''}`;
  return `${row.verb} ${resource}${row.name ? ` ${row.name}` : ''}`;
}

const TOLD = 6;

/** The first ones: a sentence with sixty of them would be cut somewhere. The table has them all. */
const few = (texts: readonly string[]): string =>
  [...texts.slice(0, TOLD), ...(texts.length > TOLD ? [`and ${texts.length - TOLD} more`] : [])].join('; ');

/** What the discovery tells about the objects that the templates refer to. */
export function referencesOf(found: Discovery): NonNullable<AccessFacts['references']> {
  const workloads = [...found.workloads, ...found.notConsumers.map((one) => one.workload)];
  return new Map(workloads.map((one) => [one.id, one.references]));
}

/** The operator's own manifests, for what a plan needs; whatever is wrong with them p1.deploy says better. */
export async function manifestsOf(plan: Plan, namespace: string): Promise<Pick<AccessFacts, 'manifests'>> {
  if (!plan.pooler.manifests) return {};
  const loaded = await loadManifests(plan.pooler.manifests, namespace);
  return loaded.ok ? { manifests: loaded.value } : {};
}

/** Gives the evidence; a failure with its own error (exit code 4) when one is missing that a step can't do without. */
export async function checkPermissions(
  ctx: StepContext,
  serverMinor: number,
  found: Discovery | undefined,
): Promise<StepFailure | undefined> {
  ctx.waitingFor('access reviews');
  const { namespace } = ctx.fleet;
  const needs = neededAccess(
    accessInput(ctx.plan, {
      namespace,
      runId: ctx.runId,
      serverMinor,
      ...(found ? { references: referencesOf(found) } : {}),
      outside: await isOutside({ kube: ctx.kube, service: ctx.plan.postgres.service, signal: ctx.signal }),
      ...(await manifestsOf(ctx.plan, namespace)),
    }),
  );
  const checked = await checkAccess(ctx.kube, needs, { signal: ctx.signal });
  if (!checked.ok) {
    ctx.evidence({ check: PERMISSIONS, verdict: 'inconclusive', observed: checked.error.message });
    return undefined;
  }
  const rows = checked.value;
  const elsewhere = (row: AccessRow) => (row.namespace === namespace ? '' : ` in ${row.namespace}`);
  const tell = (row: AccessRow) => `${permissionText(row)}${elsewhere(row)}`;
  const missing = rows.filter((row) => row.allowed === false);
  const denied = missing.filter((row) => !row.optional);
  const lesser = missing.filter((row) => row.optional);
  const unknown = rows.filter((row) => row.allowed === 'unknown');
  const verdict: Verdict = denied.length > 0 ? 'fail' : unknown.length > 0 ? 'inconclusive' : 'pass';
  const parts = [
    ...(denied.length > 0
      ? [`missing: ${few(denied.map((row) => `${tell(row)} (will fail at ${row.neededBy})`))}`]
      : [`${rows.filter((row) => row.allowed === true).length} of ${rows.length} allowed`]),
    ...(lesser.length > 0 ? [`it goes on without: ${few(lesser.map((row) => `${tell(row)} (${row.neededBy})`))}`] : []),
    ...(unknown.length > 0 ? [`no answer about: ${few(unknown.map(tell))}`] : []),
  ];
  ctx.evidence({
    check: PERMISSIONS,
    verdict,
    observed: parts.join('. '),
    expected: 'every permission of the plan',
    data: {
      user: ctx.kube.ref.user ?? null,
      denied: denied.map(tell),
      checked: rows.length,
      permissions: rows.map((row) => ({
        permission: tell(row),
        allowed: row.allowed,
        neededBy: row.neededBy,
        optional: row.optional === true,
      })),
    },
  });
  if (lesser.length > 0)
    ctx.message('warn', `without these permissions less is seen or mended: ${few(lesser.map(tell))}`);
  const [first] = denied;
  if (!first) return undefined;
  const who = ctx.kube.ref.user;
  const count = `${denied.length} ${denied.length === 1 ? 'permission is' : 'permissions are'} missing`;
  const message = `${count}; the first one (${tell(first)}) would stop the run at ${first.neededBy}`;
  // A Role that names the objects of one run is none for another.
  const otherRun = denied.every((row) => row.name?.includes(ctx.runId));
  const apply = `Have the Role applied that \`pgb-wizard rbac${who ? ` --user ${who}` : ''} -o yaml\` prints, then retry.`;
  const hint = otherRun ? `${apply} Or start the run with the --run-id that the Role was made for.` : apply;
  return {
    cause: message,
    hint,
    error: wizardError('not-authorised', message, {
      cause: `${who ?? 'This user'} may not: ${few(denied.map(tell))}`,
      next: [hint, 'pgb-wizard preflight shows every permission and the step that needs it.'],
    }),
  };
}
