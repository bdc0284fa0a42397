/**
 * Faults to practise on. A service's fault bites only those of its pods that are configured for the pooler, so the fleet
 * is healthy until its migration step and healthy again after its rollback.
 */
export const SERVICE_FAULTS = {
  crashloop: 'the pod exits with 1 about a second after it started',
  'never-ready': 'the health endpoint answers 503 forever',
  'bad-password': 'the pod sends a wrong password to the pooler',
  'pool-exhausted': 'the pod opens transactions and leaves them open until clients wait for a server',
  'slow-queries': 'every query takes twelve seconds',
} as const;

export type ServiceFault = keyof typeof SERVICE_FAULTS;

export interface FaultSpec {
  kind: ServiceFault;
  /** Undefined: the service whose turn comes first. */
  service: string | undefined;
}

/** Parses `KIND[:SERVICE]`; a text that is no fault gives the message for the operator. */
export function parseFault(
  text: string,
  services: readonly string[],
): { ok: true; value: FaultSpec } | { ok: false; message: string } {
  const [kind = '', service] = text.split(':');
  if (!(kind in SERVICE_FAULTS))
    return {
      ok: false,
      message: `there is no fault "${kind}"; the faults are ${Object.keys(SERVICE_FAULTS).join(', ')}`,
    };
  if (service !== undefined && !services.includes(service))
    return { ok: false, message: `the fleet has no service "${service}"` };
  return { ok: true, value: { kind: kind as ServiceFault, service } };
}

/** Which fault a service suffers from. Without a named service a fault strikes the first service of the fleet. */
export function faultTable(faults: readonly FaultSpec[], services: readonly string[]): Map<string, ServiceFault> {
  const table = new Map<string, ServiceFault>();
  for (const fault of faults) {
    const service = fault.service ?? services[0];
    if (service) table.set(service, fault.kind);
  }
  return table;
}
