/** The row of a pod: the Status column follows `printPod` (pkg/printers/internalversion/printers.go). */
import type { Json, KubeObject } from '../contract.ts';
import { type Cell, type Column, since } from './table-text.ts';

export const podColumns: readonly Column[] = [
  ['Name', 'string', 0],
  ['Ready', 'string', 0],
  ['Status', 'string', 0],
  ['Restarts', 'string', 0],
  ['Age', 'string', 0],
  ['IP', 'string', 1],
  ['Node', 'string', 1],
  ['Nominated Node', 'string', 1],
  ['Readiness Gates', 'string', 1],
];

export function podRow(pod: KubeObject, now: Date): Cell[] {
  const { metadata, spec = {}, status = {} } = pod;
  const summary = summarise(pod);
  const gates = (spec.readinessGates ?? []) as Json[];
  const passed = gates.filter((gate) =>
    (status.conditions ?? []).some((one: Json) => one.type === gate.conditionType && one.status === 'True'),
  );
  const restarts =
    summary.restarts > 0 && summary.lastRestart !== undefined
      ? `${summary.restarts} (${since(summary.lastRestart, now)} ago)`
      : String(summary.restarts);
  return [
    metadata.name,
    `${summary.ready}/${summary.total}`,
    summary.reason,
    restarts,
    since(metadata.creationTimestamp, now),
    status.podIP ?? '<none>',
    spec.nodeName ?? '<none>',
    status.nominatedNodeName ?? '<none>',
    gates.length === 0 ? '<none>' : `${passed.length}/${gates.length}`,
  ];
}

interface Summary {
  reason: string;
  ready: number;
  total: number;
  restarts: number;
  lastRestart?: string;
}

function ended(terminated: Json, prefix = ''): string {
  if (terminated.reason) return prefix + terminated.reason;
  if (terminated.signal) return `${prefix}Signal:${terminated.signal}`;
  return `${prefix}ExitCode:${terminated.exitCode}`;
}

function summarise({ metadata, spec = {}, status = {} }: KubeObject): Summary {
  const out: Summary = {
    reason: status.reason || status.phase || 'Unknown',
    ready: 0,
    total: (spec.containers ?? []).length,
    restarts: 0,
  };
  const noteRestart = (one: Json): void => {
    const at = one.lastState?.terminated?.finishedAt;
    if (at !== undefined && (out.lastRestart === undefined || at > out.lastRestart)) out.lastRestart = at;
  };
  const gated = (status.conditions ?? []).find(
    (one: Json) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated',
  );
  if (gated !== undefined) out.reason = 'SchedulingGated';

  let initialising = false;
  const inits = (spec.initContainers ?? []) as Json[];
  for (const [index, one] of ((status.initContainerStatuses ?? []) as Json[]).entries()) {
    out.restarts += one.restartCount ?? 0;
    noteRestart(one);
    const sidecar = inits[index]?.restartPolicy === 'Always';
    if (sidecar) out.total += 1;
    const { terminated, waiting } = one.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && one.started) {
      if (one.ready) out.ready += 1;
      continue;
    }
    if (terminated !== undefined) out.reason = ended(terminated, 'Init:');
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') out.reason = `Init:${waiting.reason}`;
    else out.reason = `Init:${index}/${inits.length}`;
    initialising = true;
    break;
  }
  if (!initialising) {
    if (inits.length === 0) out.lastRestart = undefined;
    if (!inits.some((one) => one.restartPolicy === 'Always')) {
      out.restarts = 0;
      out.lastRestart = undefined;
    }
    let running = false;
    for (const one of [...((status.containerStatuses ?? []) as Json[])].reverse()) {
      out.restarts += one.restartCount ?? 0;
      noteRestart(one);
      const { terminated, waiting, running: up } = one.state ?? {};
      if (waiting?.reason) out.reason = waiting.reason;
      else if (terminated !== undefined) out.reason = ended(terminated);
      else if (one.ready && up !== undefined) {
        running = true;
        out.ready += 1;
      }
    }
    if (out.reason === 'Completed' && running) {
      const ready = (status.conditions ?? []).some((one: Json) => one.type === 'Ready' && one.status === 'True');
      out.reason = ready ? 'Running' : 'NotReady';
    }
  }
  if (metadata.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') out.reason = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') out.reason = 'Terminating';
  }
  return out;
}
