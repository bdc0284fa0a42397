/** What a container is to its pod, as far as its address is concerned. */
import type { Json } from './types.ts';
import type { ContainerRole } from './workload-types.ts';

/** Monitoring, change data capture and backups of PostgreSQL, by whole words of their images: `renewal-gateway` is no `wal-g`. */
const SERVER_TOOL =
  /(^|[/._-])(postgres(ql)?[-_]?exporter|pgwatch\d?|pgmetrics|pganalyze|pghero|pgmonitor|debezium|wal-[ge]|pgbackrest|barman|pgcopydb|pglogical)([/:@._-]|$)/i;

/** What a container is to its pod. */
export function roleOf(container: Json, field: 'containers' | 'initContainers'): ContainerRole {
  const restarts = field === 'containers' || container.restartPolicy === 'Always';
  if (restarts && SERVER_TOOL.test(container.image ?? '')) return 'tool';
  return field === 'containers' ? 'container' : restarts ? 'sidecar' : 'init';
}
