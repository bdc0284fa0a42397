/** A container of any other image: a service, run in a worker thread (service-pod.ts). */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../contract.ts';
import type { ContainerContext, RunningContainer } from './container.ts';
import { expand } from './environment.ts';

/** Annotation of a pod template that sets the load of one pod: `queries per second/connections`. */
export const LOAD_ANNOTATION = 'rehearsal.pgb-wizard.dev/load';
const DEFAULT_RATE = 2;
const DEFAULT_CONNECTIONS = 2;

export async function startService(context: ContainerContext): Promise<RunningContainer> {
  const { machine, pod, container, env } = context;
  const service = pod.metadata.labels?.app ?? pod.metadata.labels?.['app.kubernetes.io/name'] ?? pod.metadata.name;
  const [rate, connections] = (pod.metadata.annotations?.[LOAD_ANNOTATION] ?? '').split('/').map(Number);
  const ports: number[] = [];
  for (const port of container.ports ?? []) ports.push(await context.publish(port.containerPort));
  return machine.workers.startService(
    {
      id: `${pod.metadata.uid}/${container.name}/${Date.now()}`,
      name: pod.metadata.name,
      service,
      namespace: context.namespace,
      ip: context.ip,
      bind: machine.addresses.distinct,
      ports,
      env: [...env],
      args: [...(container.command ?? []), ...(container.args ?? [])].map((text: string) =>
        expand(text, (name) => env.get(name)),
      ),
      files: mountedTexts(context),
      fault: machine.faultOf(service),
      boot: machine.pace * (0.5 + Math.random() / 2),
      rate: rate || DEFAULT_RATE,
      connections: connections || DEFAULT_CONNECTIONS,
    },
    context.log,
  );
}

const LARGEST_FILE = 64 * 1024;

/** Texts of the mounted ConfigMaps and Secrets: some services have their database address in a file. */
function mountedTexts({ container, root }: ContainerContext): string[] {
  const texts: string[] = [];
  for (const mount of container.volumeMounts ?? ([] as Json[])) {
    const place = join(root, mount.mountPath);
    const stat = statSync(place, { throwIfNoEntry: false });
    if (!stat) continue;
    const paths = stat.isDirectory() ? readdirSync(place).map((name) => join(place, name)) : [place];
    for (const path of paths) {
      const file = statSync(path, { throwIfNoEntry: false });
      if (file?.isFile() && file.size <= LARGEST_FILE) texts.push(readFileSync(path, 'utf8'));
    }
  }
  return texts;
}
