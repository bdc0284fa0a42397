/**
 * The applied pgbouncer.ini, adapted to a pod that shares its machine with others. The mounted file stays as applied; the
 * process reads a private copy that differs in addresses and paths only:
 * `listen_addr` becomes the pod's address, absolute paths are moved under the pod's root, the Unix socket gets a folder
 * of the pod's own, and a Service named as `host` becomes the address at which the pod's outgoing connections are taken
 * over (egress), because PgBouncer can't be told which resolver to ask or which address to connect from.
 */
export interface IniChanges {
  listenAddress: string;
  /** Only where pods share an address. */
  listenPort?: number;
  /** Moves an absolute path under the pod's root. */
  path(absolute: string): string;
  socketFolder: string;
  /** The address to use instead of a host of `[databases]`; undefined leaves it. */
  host(host: string, port: number): { host: string; port: number } | undefined;
}

const HOST = /\bhost\s*=\s*('[^']*'|[^\s]+)/i;
const PORT = /\bport\s*=\s*'?(\d+)'?/i;
const DEFAULT_PORT = 5432;

export function adaptIni(text: string, changes: IniChanges): string {
  let section = '';
  let socketSet = false;
  const out: string[] = [];
  const addSocket = () => {
    if (section === 'pgbouncer' && !socketSet) out.push(`unix_socket_dir = ${changes.socketFolder}`);
  };
  for (const line of text.split('\n')) {
    const heading = line.match(/^\s*\[([^\]]+)\]/);
    if (heading) {
      addSocket();
      section = (heading[1] as string).trim().toLowerCase();
      out.push(line);
      continue;
    }
    const include = line.match(/^\s*%include\s+(\/\S+)/);
    if (include) {
      out.push(`%include ${changes.path(include[1] as string)}`);
      continue;
    }
    const setting = line.match(/^\s*([^;#=\s][^=]*?)\s*=\s*(.*?)\s*$/);
    if (!setting) {
      out.push(line);
      continue;
    }
    const [, name, value] = setting as unknown as [string, string, string];
    if (section === 'databases') out.push(adaptDatabase(line, changes));
    else if (section !== 'pgbouncer') out.push(line);
    else if (name === 'listen_addr') out.push(`listen_addr = ${changes.listenAddress}`);
    else if (name === 'listen_port' && changes.listenPort !== undefined)
      out.push(`listen_port = ${changes.listenPort}`);
    else if (name === 'unix_socket_dir') {
      socketSet = true;
      out.push(value === '' ? line : `unix_socket_dir = ${changes.socketFolder}`);
    } else if (name === 'user') out.push(`; ${line}`);
    else if (value.startsWith('/')) out.push(`${name} = ${changes.path(value)}`);
    else out.push(line);
  }
  addSocket();
  return out.join('\n');
}

function adaptDatabase(line: string, changes: IniChanges): string {
  const equals = line.indexOf('=');
  const name = line.slice(0, equals + 1);
  let settings = line.slice(equals + 1);
  const host = settings.match(HOST);
  if (!host) return line;
  const port = Number(settings.match(PORT)?.[1] ?? DEFAULT_PORT);
  const target = changes.host((host[1] as string).replace(/^'|'$/g, ''), port);
  if (!target) return line;
  settings = settings.replace(HOST, `host=${target.host}`);
  settings = PORT.test(settings) ? settings.replace(PORT, `port=${target.port}`) : `${settings} port=${target.port}`;
  return name + settings;
}

/** Hosts of `[databases]` with their ports, to open the ways out before the process starts. */
export function databaseHosts(text: string): { host: string; port: number }[] {
  const found = new Map<string, { host: string; port: number }>();
  adaptIni(text, {
    listenAddress: '',
    path: (path) => path,
    socketFolder: '',
    host(host, port) {
      found.set(`${host}:${port}`, { host, port });
      return undefined;
    },
  });
  return [...found.values()];
}

export function listenPort(text: string): number {
  return Number(text.match(/^\s*listen_port\s*=\s*(\d+)/m)?.[1] ?? 6432);
}
