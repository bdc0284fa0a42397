/** Symptoms that the snapshot shows, each with the check behind it, the likely cause and the fix (guide: troubleshooting). */
import { findingLines } from '../components/findings.ts';
import { duration } from '../components/format.ts';
import { type Line, paragraph, span } from '../components/line.ts';
import type { DoctorFinding, RunSnapshot } from '../engine/run/model.ts';
import type { Body, View } from './screen.ts';
import { scrolled } from './scrolled.ts';

export function doctorScreen(view: View): Body {
  const { snapshot, width, glyphs } = view;
  const found = findingsOf(snapshot);
  const head: Line[] = [
    [
      span(' Doctor', 'title'),
      span(
        `   ${found.length} ${found.length === 1 ? 'symptom' : 'symptoms'} now`,
        found.length > 0 ? 'warn' : 'muted',
      ),
    ],
    [],
  ];
  const content: Line[] =
    found.length > 0
      ? findingLines(found, width, glyphs)
      : paragraph(
          `${glyphs.ok} Nothing is wrong in what is measured: ${snapshot.pools.poolers.length === 0 ? 'there is no pooler yet' : 'poolers answer, no client waits'}, the cluster data is fresh.`,
          width - 1,
          'ok',
          1,
        );
  return { lines: scrolled(view, head, content, 'doctor') };
}

/** What came with the failure that is open, and what the live numbers show. */
export function findingsOf(snapshot: RunSnapshot): DoctorFinding[] {
  return [...(snapshot.ask?.kind === 'failure' ? snapshot.ask.findings : []), ...symptoms(snapshot)];
}

/** What can be told from live numbers alone; deeper checks come with a failed step. */
function symptoms(snapshot: RunSnapshot): DoctorFinding[] {
  const out: DoctorFinding[] = [];
  for (const pooler of snapshot.pools.poolers) {
    if (pooler.state === 'ok') continue;
    out.push({
      symptom: `pooler ${pooler.pod} does not answer`,
      cause: pooler.error ?? 'the port-forward or the pod is gone',
      check: 'SHOW POOLS through a port-forward to the pod',
      observed: `no answer for ${duration(pooler.ageMs)}`,
      fix: `kubectl describe pod ${pooler.pod} -n ${snapshot.namespace}; kubectl logs ${pooler.pod} -n ${snapshot.namespace} --previous`,
    });
  }
  for (const row of snapshot.pools.rows) {
    if (row.clWaiting === 0) continue;
    const exhausted = row.svIdle === 0 && row.svUsed === 0;
    out.push({
      symptom: `${row.clWaiting} clients wait in pool ${row.database}/${row.user}`,
      cause: exhausted
        ? 'every server connection of the pool is taken'
        : 'clients came faster than connections are opened',
      check: `SHOW POOLS on ${row.pod}`,
      observed: `cl_waiting ${row.clWaiting}, sv_active ${row.svActive}, sv_idle ${row.svIdle}, maxwait ${(row.maxwaitMs / 1000).toFixed(1)} s`,
      fix: exhausted
        ? 'Find long transactions (SHOW SERVERS, pg_stat_activity), then raise default_pool_size within max_connections.'
        : 'Watch it for a minute; raise min_pool_size when it comes back.',
    });
  }
  for (const service of snapshot.services) {
    if (service.state !== 'pooled' || (service.direct ?? 0) === 0) continue;
    out.push({
      symptom: `${service.name} is pooled but still has direct connections`,
      cause: 'an old pod has not ended, or a second address is configured',
      check: 'pg_stat_activity by pod address',
      observed: `${service.direct} direct connections`,
      fix: `kubectl get pods -n ${snapshot.namespace} -l app=${service.name}; look for another variable or file that names PostgreSQL`,
    });
  }
  const pg = snapshot.pools.postgres;
  if (pg !== undefined && pg.total > pg.maxConnections * 0.9) {
    out.push({
      symptom: 'PostgreSQL is nearly out of connections',
      cause: 'direct and pooled connections of the same services add up while they switch',
      check: 'pg_stat_activity against max_connections',
      observed: `${pg.total} of ${pg.maxConnections}`,
      fix: 'Hold the run, let old pods end, or lower the pool sizes.',
    });
  }
  if (snapshot.cluster.state !== 'ok') {
    out.push({
      symptom: 'the API server does not answer',
      cause: 'network, VPN, or an expired login',
      check: 'GET /readyz',
      observed: `newest data is ${duration(snapshot.cluster.ageMs)} old`,
      fix: `kubectl --context ${snapshot.context} get --raw /readyz`,
    });
  }
  return out;
}
