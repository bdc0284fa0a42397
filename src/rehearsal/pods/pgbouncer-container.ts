/** A container of a `pgbouncer` image: one real PgBouncer process, run from the applied configuration. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { type ContainerContext, type RunningContainer, StartError } from './container.ts';
import { adaptIni, databaseHosts, listenPort } from './pgbouncer-config.ts';
import { startProcess } from './process.ts';

const DEFAULT_INI = '/etc/pgbouncer/pgbouncer.ini';

/** The configuration file named by the container's command, else where every image has it. */
function iniPath(container: { command?: string[]; args?: string[] }): string {
  return [...(container.command ?? []), ...(container.args ?? [])].find((word) => word.endsWith('.ini')) ?? DEFAULT_INI;
}

export async function startPgBouncer(context: ContainerContext): Promise<RunningContainer> {
  const { machine, container, data, root, ip, namespace } = context;
  const applied = join(root, iniPath(container));
  if (!existsSync(applied))
    throw new StartError(
      'RunContainerError',
      `could not open configuration file ${iniPath(container)}: No such file or directory`,
    );
  const socket = join(data, 's');
  mkdirSync(socket, { recursive: true });
  machine.launcher.own(socket);
  const own = join(data, 'pgbouncer.ini');
  const ways = new Map<string, { host: string; port: number }>();

  const render = async () => {
    const text = readFileSync(applied, 'utf8');
    const port = listenPort(text);
    const published = await context.publish(port);
    for (const { host, port: target } of databaseHosts(text)) {
      if (ways.has(`${host}:${target}`) || isIP(host)) continue;
      if (machine.routes.service(host, namespace))
        ways.set(
          `${host}:${target}`,
          await machine.workers.openEgress(context.pod.metadata.uid as string, {
            namespace,
            host,
            port: target,
            source: ip,
          }),
        );
    }
    const adapted = adaptIni(text, {
      listenAddress: ip,
      listenPort: published === port ? undefined : published,
      socketFolder: socket,
      path: (absolute) => {
        const moved = join(root, absolute);
        // A log or pid file goes into a folder that may not exist in this root.
        mkdirSync(join(moved, '..'), { recursive: true });
        machine.launcher.own(join(moved, '..'));
        return moved;
      },
      host: (host, target) =>
        ways.get(`${host}:${target}`) ??
        (host === 'localhost' || host === '127.0.0.1' ? { host: ip, port: target } : undefined),
    });
    writeFileSync(own, adapted, { mode: 0o600 });
    machine.launcher.own(own);
  };
  await render();
  context.onVolumesChanged(
    () =>
      void render().catch((error) =>
        context.log.line(`rehearsal: the new configuration could not be prepared: ${(error as Error).message}`),
      ),
  );
  const flags = [...(container.command ?? []), ...(container.args ?? [])].filter((word: string) =>
    /^-(v+|q|-verbose|-quiet)$/.test(word),
  );
  return startProcess(context, machine.servers.pgbouncer.program, [...flags, own]);
}
