/** Addresses whose host and port are settings of their own: in a file, or behind the flags of a command. Pure. */
import { HOST_NAME, loginAmong } from './beside.ts';
import type { Setting } from './settings-in-text.ts';
import type { Login } from './site.ts';
import { isTargetHost, type ResolvedTarget } from './target.ts';

export interface SplitAddress<S extends Setting = Setting> {
  /** `hostport`: `postgres:5432` in one setting. */
  readonly form: 'split' | 'hostport';
  readonly host: S;
  /** The setting with the port; absent when there is none, or in `hostport`. */
  readonly port?: S;
  /** Host and port as the application sees them. */
  readonly hostName: string;
  readonly portNumber: number;
  readonly login?: Login;
  readonly sslmode?: string;
}

/** `dbHost`, `db-host`, `db_host` and `db.host` are one name. */
const plain = (key: string): string => key.toLowerCase().replace(/[-_.]/g, '');

/** Addresses of the target among the settings, each with what stands beside it in its group. */
export function splitAddresses<S extends Setting>(settings: readonly S[], target: ResolvedTarget): SplitAddress<S>[] {
  return settings.flatMap((setting) => {
    const prefix = HOST_NAME.exec(setting.key)?.[1];
    if (prefix === undefined) return [];
    const together = /^([^:\s/]+):(\d+)$/.exec(setting.value);
    const hostName = together?.[1] ?? setting.value;
    if (!isTargetHost(target, hostName)) return [];
    const beside = (name: string): S | undefined =>
      settings.find((one) => one.group === setting.group && plain(one.key) === plain(prefix + name));
    const port = together ? undefined : beside('port');
    const portNumber = Number(together?.[2] ?? (/^\d+$/.test(port?.value ?? '') ? port!.value : 5432));
    if (!target.ports.includes(portNumber)) return [];
    const login = loginAmong((name) => beside(name)?.value);
    const sslmode = beside('sslmode')?.value;
    return [
      {
        form: together ? 'hostport' : 'split',
        host: setting,
        ...(port ? { port } : {}),
        hostName,
        portNumber,
        ...(login ? { login } : {}),
        ...(sslmode ? { sslmode } : {}),
      } as const,
    ];
  });
}
