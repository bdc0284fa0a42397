/** ClusterIPs: 10.96.0.0/16, handed out in order from .0.10 on, given back when their Service goes. */
import type { KubeObject } from '../../contract.ts';
import { failure } from '../errors.ts';

export interface Addresses {
  /** A free address, or `wanted`; throws 422 when `wanted` is taken or outside the range. `trial` reserves nothing. */
  take(wanted: string | undefined, meta: { name?: string }, trial: boolean): string;
  release(service: KubeObject): void;
}

export function createAddresses(): Addresses {
  const taken = new Set<string>(['10.96.0.1']);
  let next = 10;
  const free = (): string => {
    for (;;) {
      const address = `10.96.${Math.floor(next / 256) % 256}.${next % 256}`;
      next += 1;
      if (!taken.has(address)) return address;
    }
  };
  return {
    take(wanted, meta, trial) {
      if (wanted !== undefined && (taken.has(wanted) || !wanted.startsWith('10.96.'))) {
        const detail = taken.has(wanted)
          ? `failed to allocate IP ${wanted}: provided IP is already allocated`
          : `failed to allocate IP ${wanted}: the provided IP (${wanted}) is not in the valid range. The range of valid IPs is 10.96.0.0/16`;
        const message = `Invalid value: ["${wanted}"]: ${detail}`;
        throw failure(422, 'Invalid', `Service "${meta.name}" is invalid: spec.clusterIPs: ${message}`, {
          name: meta.name,
          kind: 'Service',
          causes: [{ reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' }],
        });
      }
      const address = wanted ?? free();
      if (!trial) taken.add(address);
      return address;
    },
    release(service) {
      if (service.kind === 'Service' && service.spec?.clusterIP !== undefined) taken.delete(service.spec.clusterIP);
    },
  };
}
