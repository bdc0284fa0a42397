/**
 * Answers that only the cluster shows to be missing: a namespace that is not there, a role's password that no address
 * holds. They are found once the screen is up, so the screen goes, the question is asked in a plain prompt, and the run
 * starts again from nothing. Without a terminal the error itself names the flag.
 */
import type { LoadedPlan } from '../engine/plan/load-types.ts';
import { fail, ok, type Result, type WizardError } from '../engine/result.ts';
import type { KubeOptions, SecretInputs } from '../engine/run/options.ts';
import { Secret } from '../engine/secret.ts';
import { withKube, withTransport } from './connection.ts';

/** What was asked after all; nothing when the error is not a missing answer. */
export interface Given {
  readonly namespace?: string;
  readonly passwords?: SecretInputs;
}

/** Asks for what the error says is missing. */
export async function askForMissing(error: WizardError, kube: KubeOptions): Promise<Result<Given | undefined>> {
  if (error.code === 'namespace-missing') {
    const names = await namespacesOf(kube);
    // Somebody who may not list the namespaces gets the error, which names -n.
    if (!names.ok || names.value.length === 0) return ok(undefined);
    const { askNamespace } = await import('./prompts.ts');
    const chosen = await askNamespace(names.value, error.message);
    return chosen.ok ? ok({ namespace: chosen.value }) : chosen;
  }
  if (error.code === 'secret-missing' && error.details?.ask === 'rolePassword') {
    const { askPassword } = await import('./prompts.ts');
    const typed = await askPassword(String(error.details.role ?? 'the role'), error.message);
    return typed.ok ? ok({ passwords: { rolePassword: new Secret(typed.value) } }) : typed;
  }
  return ok(undefined);
}

async function namespacesOf(kube: KubeOptions): Promise<Result<string[]>> {
  return withTransport(kube, async (transport) => {
    const answer = await transport.json({
      method: 'GET',
      path: '/api/v1/namespaces?limit=500',
      what: 'list the namespaces',
      kind: 'GET namespaces',
      timeoutMs: kube.requestTimeoutMs ?? 10_000,
      maxTries: 2,
      ...(kube.signal ? { signal: kube.signal } : {}),
    });
    if (!answer.ok) return answer;
    const { items = [] } = answer.value as { items?: readonly { metadata: { name: string } }[] };
    return ok(items.map((one) => one.metadata.name));
  });
}

/**
 * Looks whether the role's password can be found before the run starts: in the address of a service, or in the Secret that
 * an earlier run wrote. `secret-missing` when it is nowhere; every other trouble is left to the run, which says it better.
 */
export async function requireRolePassword(kube: KubeOptions, { plan }: LoadedPlan): Promise<Result<void>> {
  const looked = await withKube(kube, async (connected) => {
    const { Fleet } = await import('../engine/steps/fleet.ts');
    const { rolePasswords } = await import('../engine/steps/credentials-source.ts');
    const { ref } = await import('../engine/kube/refs.ts');
    const { namespace } = connected.ref;
    const found = await new Fleet(connected, plan, namespace).discover(kube.signal ?? new AbortController().signal);
    if (!found.ok || rolePasswords(found.value, plan.postgres.role).length > 0) return ok(undefined);
    const kept = await connected.get(ref('Secret', namespace, plan.pooler.userlistSecret));
    if (kept.ok) return ok(undefined);
    return fail('secret-missing', `No address of a service holds the password of ${plan.postgres.role}.`, {
      next: ['Give it with --role-password-file FILE, PGBOUNCER_NOVA_USER_PASS, or --password-secret NAME.'],
      details: { ask: 'rolePassword', role: plan.postgres.role },
    });
  });
  const told = looked.ok || looked.error.code === 'namespace-missing' || looked.error.code === 'secret-missing';
  return told ? looked : ok(undefined);
}
