/** A connection to the cluster for as long as one command needs it, and closed with it. */
import type { Transport } from '../engine/kube/transport.ts';
import type { Kube } from '../engine/kube/types.ts';
import type { Result } from '../engine/result.ts';
import type { KubeOptions } from '../engine/run/options.ts';
import { version } from './version.ts';

/** With a cluster that was found, logged in to, and has the namespace. Errors: those of `connectKube`, and the use's own. */
export async function withKube<T>(options: KubeOptions, use: (kube: Kube) => Promise<Result<T>>): Promise<Result<T>> {
  const { connectKube } = await import('../engine/kube/connect.ts');
  const { realClock } = await import('../engine/run/clock.ts');
  const connected = await connectKube({ ...options, clock: realClock(), toolVersion: version });
  if (!connected.ok) return connected;
  try {
    return await use(connected.value);
  } finally {
    connected.value.close();
  }
}

/** With the API server alone: for questions that need no namespace. Errors: those of the kubeconfig, and the use's own. */
export async function withTransport<T>(
  options: KubeOptions,
  use: (transport: Transport) => Promise<Result<T>>,
): Promise<Result<T>> {
  const { loadKubeconfig } = await import('../engine/kube/kubeconfig.ts');
  const { Transport } = await import('../engine/kube/transport.ts');
  const config = await loadKubeconfig(options);
  if (!config.ok) return config;
  const transport = new Transport(config.value, {
    userAgent: `pgb-wizard/${version}`,
    rate: { perSecond: 10, burst: 20 },
  });
  try {
    return await use(transport);
  } finally {
    transport.close();
  }
}
