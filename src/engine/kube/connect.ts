/**
 * From flags to a `Kube`: kubeconfig, context, server, credentials, namespace, each checked with a clear error before
 * anything else happens.
 */
import { fail, ok, type Result } from '../result.ts';
import { sanitiseLine } from '../sanitise.ts';
import { onAbort } from './abort.ts';
import { createKube } from './client.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import type { ConnectOptions } from './option-types.ts';
import { Transport } from './transport.ts';
import type { Json, Kube } from './types.ts';

/** Two tries: an operator who mistyped an address should not wait for a backoff. */
const CONNECT_TRIES = 2;

/**
 * Connects and checks: server reachable, credentials accepted, namespace there. Errors: `kubeconfig`,
 * `context-unknown`, `cluster-unreachable`, `unauthenticated`, `namespace-missing`, `not-authorised`.
 */
export async function connectKube(options: ConnectOptions): Promise<Result<Kube>> {
  const config = await loadKubeconfig(options);
  if (!config.ok) return config;
  const { context, cluster, server, namespace } = config.value;
  const transport = new Transport(config.value, {
    userAgent: `pgb-wizard/${options.toolVersion ?? '0'}${options.runId ? ` (run ${options.runId})` : ''}`,
    rate: options.rate ?? { perSecond: 10, burst: 20 },
    ...(options.requestTimeoutMs ? { requestTimeoutMs: options.requestTimeoutMs } : {}),
  });
  onAbort([options.signal], () => transport.close());
  const call = { timeoutMs: 10_000, maxTries: CONNECT_TRIES };
  const give = (result: Result<never>): Result<never> => {
    transport.close();
    return result;
  };
  const found = await transport.json({
    ...call,
    method: 'GET',
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}`,
    what: `read namespace ${namespace}`,
    kind: 'GET namespaces',
  });
  if (!found.ok && found.error.code === 'not-found') {
    return give(
      fail(
        'namespace-missing',
        `there is no namespace "${sanitiseLine(namespace, 80)}" in ${sanitiseLine(context, 80)}`,
        {
          cause: options.namespace ? undefined : 'The context of the kubeconfig names it.',
          next: ['Name one with -n NAMESPACE', 'kubectl get namespaces'],
          exitCode: 2,
        },
      ),
    );
  }
  // A namespaced Role may not read the Namespace itself; then whatever else is allowed shows whether it is there.
  if (!found.ok && found.error.code !== 'not-authorised') return give(found);
  const who = await transport.json({
    ...call,
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    what: 'ask who I am',
    kind: 'POST selfsubjectreviews',
    resendSafe: true,
  });
  const user: Json = who.ok ? who.value.status?.userInfo?.username : undefined;
  // Not kube-system's: of two who drive one run, often only one may read that.
  const uid: Json = found.ok ? found.value.metadata?.uid : undefined;
  return ok(
    createKube(transport, {
      context,
      cluster,
      server: server.replace(/\/\/[^/@]*@/, '//'),
      namespace,
      ...(user ? { user: sanitiseLine(user, 200) } : {}),
      ...(uid ? { clusterUid: String(uid) } : {}),
    }),
  );
}
