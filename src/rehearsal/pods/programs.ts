/**
 * Running a machine's program as if it were inside a pod: the pod's environment, its mounted files, `localhost` meaning
 * the pod, and Service names meaning one of their ready endpoints.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../contract.ts';
import { which } from '../servers/find.ts';
import type { Machine } from './container.ts';
import { socketFolder } from './postgres-container.ts';

export interface PodPlace {
  machine: Machine;
  namespace: string;
  ip: string;
  root: string;
  data: string;
  container: Json;
  env: Map<string, string>;
  postgres: boolean;
  port(containerPort: number): number;
}

/** The full path of a program that the pod's image could have; PostgreSQL's own come from its folder. */
export function findProgram(name: string, machine: Machine): string | undefined {
  const own = join(machine.servers.postgres.bin, name);
  if (!name.includes('/') && existsSync(own)) return own;
  if (name.split('/').at(-1) === 'pgbouncer') return machine.servers.pgbouncer.program;
  return which(name, process.env, ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin']);
}

/** Environment of a program in the pod. */
export function programEnvironment(place: PodPlace, program = ''): Record<string, string> {
  const env: Record<string, string> = { ...Object.fromEntries(place.env) };
  env.PATH = `${place.machine.servers.postgres.bin}:${process.env.PATH ?? '/usr/bin:/bin'}`;
  env.HOME = place.data;
  if (place.postgres) {
    env.PGHOST ??= socketFolder(place.data);
    env.PGPORT ??= String(place.port(5432));
    env.PGUSER ??= 'postgres';
    env.PGDATABASE ??= 'postgres';
    return env;
  }
  // Whoever asks to see the environment sees it as it was applied.
  if (program === 'env' || program === 'printenv') return env;
  for (const name of ['PGHOST', 'DATABASE_URL'])
    if (env[name]) env[name] = placeHosts(env[name], place, Number(env.PGPORT ?? 5432));
  return env;
}

/** Rewrites one argument: mounted paths, localhost, Service names where a host is expected. */
export function placeArgument(text: string, place: PodPlace, port: number): string {
  let out = text;
  for (const mount of place.container.volumeMounts ?? [])
    if (out.includes(mount.mountPath)) out = out.replaceAll(mount.mountPath, join(place.root, mount.mountPath));
  return placeHosts(out, place, port);
}

function placeHosts(text: string, place: PodPlace, port: number): string {
  // `localhost:8000` and `127.0.0.1` are the pod itself.
  const local = text.replace(
    /(?<![\w.-])(localhost|127\.0\.0\.1)(?::(\d+))?(?![\w.-])/g,
    (_all, _host, number) => `${place.ip}${number ? `:${place.port(Number(number))}` : ''}`,
  );
  return local.replace(
    /(^|@|\/\/|=|\s)([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?::(\d+))?(?=$|[/\s?,'"])/g,
    (all, before: string, host: string, number?: string) => {
      const routes = place.machine.routes;
      let target = routes.resolve(host, number ? Number(number) : port, place.namespace);
      // In a shell's text the port stands elsewhere: the host's own first port finds its address.
      const own = Object.keys(routes.service(host, place.namespace)?.ports ?? {})[0];
      if (target.kind === 'refused' && !number && own !== undefined)
        target = routes.resolve(host, Number(own), place.namespace);
      if (target.kind !== 'endpoint') return all;
      return `${before}${target.host}${number ? `:${target.port}` : ''}`;
    },
  );
}

/**
 * Arguments of a libpq program name the port separately: a host is resolved with it, and the endpoint's own port (the
 * Service's targetPort) takes its place.
 */
export function placeArguments(args: readonly string[], place: PodPlace): string[] {
  let port = Number(place.env.get('PGPORT') ?? 5432);
  const flagValue = (arg: string, index: number, short: string, long: string): string | undefined => {
    if (arg === short || arg === long) return args[index + 1];
    if (arg.startsWith(`${long}=`)) return arg.slice(long.length + 1);
    return arg.startsWith(short) && !arg.startsWith('--') && arg.length > 2 ? arg.slice(2) : undefined;
  };
  let host: string | undefined;
  for (const [index, arg] of args.entries()) {
    const told = flagValue(arg, index, '-p', '--port');
    if (told !== undefined && /^\d+$/.test(told)) port = Number(told);
    host ??= flagValue(arg, index, '-h', '--host');
  }
  const target = host === undefined ? undefined : place.machine.routes.resolve(host, port, place.namespace);
  const own = target?.kind === 'endpoint' ? target : undefined;
  return args.map((arg, index) => {
    const before = args[index - 1] ?? '';
    if (own && host !== undefined) {
      if (arg === host && (before === '-h' || before === '--host')) return own.host;
      if (arg === `-h${host}`) return `-h${own.host}`;
      if (arg === `--host=${host}`) return `--host=${own.host}`;
      if (arg === String(port) && (before === '-p' || before === '--port')) return String(own.port);
      if (arg === `-p${port}`) return `-p${own.port}`;
      if (arg === `--port=${port}`) return `--port=${own.port}`;
    }
    if (/^-h[a-z0-9]/.test(arg)) return `-h${placeHosts(arg.slice(2), place, port)}`;
    // A bare word is a host only after a host flag: a database named `postgres` must stay one.
    const bare = /^[a-z][a-z0-9.-]*$/.test(arg);
    if (bare && before !== '-h' && before !== '--host') return arg === 'localhost' ? place.ip : arg;
    if (/\s/.test(arg) && /^(select|show|insert|update|delete|begin|with|create|alter|drop|\\)/i.test(arg)) return arg;
    return placeArgument(arg, place, port);
  });
}
