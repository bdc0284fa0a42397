/** The probes of one running container and what follows from their results. */
import type { Json, KubeObject } from '../contract.ts';
import { runInPod } from './exec.ts';
import type { PodContainer } from './pod-container.ts';
import { type ProbeKind, startProbe } from './probes.ts';
import type { PodPlace } from './programs.ts';

export interface ProbeOwner {
  pod: KubeObject;
  ip: string;
  place: PodPlace;
  unhealthy(message: string): void;
  /** `ready` or `started` of the container changed. */
  changed(): void;
  /** A liveness or startup probe failed for good. */
  restart(kind: 'liveness' | 'startup'): void;
}

/** Startup first; readiness and liveness begin when it has succeeded, or at once without one. */
export function startProbes(container: PodContainer, owner: ProbeOwner): void {
  const { spec } = container;
  const target = {
    pod: owner.pod,
    container: spec,
    ip: owner.ip,
    port: owner.place.port,
    exec: (command: string[], timeoutMs: number) => execProbe(owner.place, command, timeoutMs),
  };
  const begin = (kind: ProbeKind, probe: Json, turned: (ok: boolean) => void) =>
    container.stopProbes.push(startProbe(kind, probe, target, turned, owner.unhealthy));
  const afterStart = () => {
    if (spec.readinessProbe)
      begin('Readiness', spec.readinessProbe, (ok) => {
        if (container.ready === ok || !container.run) return;
        container.ready = ok;
        owner.changed();
      });
    else container.ready = true;
    if (spec.livenessProbe)
      begin('Liveness', spec.livenessProbe, (ok) => {
        if (!ok) owner.restart('liveness');
      });
  };
  if (!spec.startupProbe) {
    afterStart();
    return;
  }
  begin('Startup', spec.startupProbe, (ok) => {
    if (!ok) owner.restart('startup');
    else if (!container.started) {
      container.started = true;
      afterStart();
      owner.changed();
    }
  });
}

async function execProbe(
  place: PodPlace,
  command: string[],
  timeoutMs: number,
): Promise<{ exitCode: number; output: string }> {
  let output = '';
  const add = (data: Buffer) => {
    output += data.toString();
  };
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    return { exitCode: await runInPod(place, command, { stdout: add, stderr: add, tty: false, signal }), output };
  } catch (error) {
    return { exitCode: 1, output: (error as Error).message };
  }
}
