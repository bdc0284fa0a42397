/** What a container is to its pod, as far as its address is concerned. */
import type { Json } from './types.ts';
import type { ContainerRole } from './workload-types.ts';

/** Monitoring, change data capture and backups of PostgreSQL, by their images. */
const SERVER_TOOL =
  /(postgres(ql)?[-_]?exporter|pgwatch|pgmetrics|pganalyze|pghero|pgmonitor|debezium|wal-g|wal-e|pgbackrest|barman|pgcopydb|pglogical)/i;

/** What a container is to its pod. */
export function roleOf(container: Json, field: 'containers' | 'initContainers'): ContainerRole {
  const restarts = field === 'containers' || container.restartPolicy === 'Always';
  if (restarts && SERVER_TOOL.test(container.image ?? '')) return 'tool';
  return field === 'containers' ? 'container' : restarts ? 'sidecar' : 'init';
}
