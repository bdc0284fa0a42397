/** `--password-secret`: passwords that a Secret of the namespace holds under the keys `role`, `admin`, `stats`, and the names of the plan's other roles. */
import { ref } from '../engine/kube/refs.ts';
import { fail, ok, type Result } from '../engine/result.ts';
import type { KubeOptions, SecretInputs } from '../engine/run/options.ts';
import { Secret } from '../engine/secret.ts';
import { withKube } from './connection.ts';

const KEYS = { role: 'rolePassword', admin: 'adminPassword', stats: 'statsPassword' } as const;

/** Errors: those of connecting; `secret-missing` when it is not there or has none of the keys. */
export async function passwordsFromSecret(
  name: string,
  kube: KubeOptions,
  otherRoles: readonly string[],
): Promise<Result<SecretInputs>> {
  return withKube(kube, async (connected) => {
    const { namespace } = connected.ref;
    const found = await connected.get(ref('Secret', namespace, name));
    if (!found.ok) {
      if (found.error.code !== 'not-found') return found;
      return fail('secret-missing', `--password-secret: there is no Secret ${name} in ${namespace}.`, { exitCode: 2 });
    }
    const data = (found.value.data ?? {}) as Record<string, string>;
    const inputs: { -readonly [K in keyof SecretInputs]: SecretInputs[K] } = {};
    for (const [key, input] of Object.entries(KEYS)) {
      const value = Buffer.from(data[key] ?? '', 'base64').toString('utf8');
      if (value !== '') inputs[input as (typeof KEYS)[keyof typeof KEYS]] = new Secret(value);
    }
    const others = new Map<string, Secret>();
    for (const role of otherRoles) {
      const value = Buffer.from(data[role] ?? '', 'base64').toString('utf8');
      if (value !== '') others.set(role, new Secret(value));
    }
    if (others.size > 0) inputs.otherRoles = others;
    if (Object.keys(inputs).length === 0) {
      return fail(
        'secret-missing',
        `--password-secret: Secret ${name} has none of the keys ${[...Object.keys(KEYS), ...otherRoles].join(', ')}.`,
        { exitCode: 2 },
      );
    }
    return ok(inputs);
  });
}
