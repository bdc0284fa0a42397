/** From a place in a pod template to what the operator reads about it. */
import { sanitiseLine } from '../sanitise.ts';
import { dottedDsn } from './dsn.ts';
import type { Site } from './site.ts';
import { type Consumer, type ContainerRole, staysDirect } from './workload-types.ts';

export function toConsumer(site: Site, workload: string): Consumer {
  const { dsn } = site;
  const endpoints = dsn
    ? dsn.hosts.map(({ host, port }) => ({ host, port }))
    : [{ host: site.host, port: site.portNumber }];
  const { user, database, password } = site.login ?? dsn ?? {};
  const note = NOTES[site.source] ?? ROLE_NOTES[site.role];
  return {
    id: `${workload}/${site.container}/${site.name}`,
    workload,
    container: site.container,
    role: site.role,
    source: site.source,
    form: site.form,
    name: site.name,
    ...(site.port ? { portName: site.port.name } : {}),
    ...(site.from ? { from: site.from } : {}),
    endpoints,
    // Not the text: of an address in a file that is all of it.
    masked: sanitiseLine(dsn ? dottedDsn(dsn) : `${site.host}:${site.portNumber}`, 400),
    ...(user ? { user } : {}),
    ...(database ? { database } : {}),
    ...(password ? { password } : {}),
    parameters: { ...site.beside, ...dsn?.parameters },
    defaultIncluded: !staysDirect(site.role),
    ...(note ? { note } : {}),
  };
}

const ROLE_NOTES: Partial<Record<ContainerRole, string>> = {
  init: 'an init container, usually migrations: transaction pooling breaks advisory locks and session settings, so it stays direct',
  tool: 'by its image a tool of the server itself (monitoring, change data capture, backup): a pooler can not stand in for the server, so it stays direct',
};

const NOTES: Partial<Record<Site['source'], string>> = {
  serviceLink: 'from the Service link that Kubernetes injects; an explicit variable will override it',
  file: 'in a mounted file; a copy with the new address will be mounted instead',
};
