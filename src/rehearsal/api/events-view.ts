/** Events have one storage and two views: core `v1` and `events.k8s.io/v1`, with other field names. */
import type { Json, KubeObject } from '../contract.ts';

/** A core Event as `events.k8s.io/v1` shows it. */
export function toEventsView(event: KubeObject): KubeObject {
  const core = event as Json;
  return {
    kind: 'Event',
    apiVersion: 'events.k8s.io/v1',
    metadata: core.metadata,
    eventTime: core.eventTime ?? null,
    ...(core.series === undefined ? {} : { series: core.series }),
    reportingController: core.reportingComponent || core.source?.component || '',
    reportingInstance: core.reportingInstance || core.source?.host || '',
    action: core.action,
    reason: core.reason,
    regarding: core.involvedObject,
    related: core.related,
    note: core.message,
    type: core.type,
    deprecatedSource: core.source ?? {},
    deprecatedFirstTimestamp: core.firstTimestamp ?? null,
    deprecatedLastTimestamp: core.lastTimestamp ?? null,
    ...(core.count === undefined ? {} : { deprecatedCount: core.count }),
  };
}

/** The inverse: what is stored for an Event written through `events.k8s.io/v1`. */
export function toCoreEvent(event: KubeObject): KubeObject {
  const view = event as Json;
  return {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: view.metadata,
    involvedObject: view.regarding ?? {},
    reason: view.reason,
    message: view.note,
    source: view.deprecatedSource ?? {},
    firstTimestamp: view.deprecatedFirstTimestamp ?? null,
    lastTimestamp: view.deprecatedLastTimestamp ?? null,
    count: view.deprecatedCount,
    type: view.type,
    eventTime: view.eventTime ?? null,
    series: view.series,
    action: view.action,
    related: view.related,
    reportingComponent: view.reportingController ?? '',
    reportingInstance: view.reportingInstance ?? '',
  };
}
