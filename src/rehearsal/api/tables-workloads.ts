/** Rows of Deployments and the other workloads. */
import type { Json, KubeObject } from '../contract.ts';
import { type Cell, type Column, duration, since } from './table-text.ts';
import type { TableLayout } from './tables.ts';

const name: Column = ['Name', 'string', 0];
const age: Column = ['Age', 'string', 0];
const template: readonly Column[] = [
  ['Containers', 'string', 1],
  ['Images', 'string', 1],
];
const selector: Column = ['Selector', 'string', 1];

function containers(spec: Json): Cell[] {
  const list = (spec?.template?.spec?.containers ?? []) as Json[];
  return [list.map((one) => one.name).join(','), list.map((one) => one.image).join(',')];
}

function labels(value: Json): string {
  const text = [
    ...Object.entries(value?.matchLabels ?? {})
      .sort()
      .map(([key, one]) => `${key}=${one}`),
    ...((value?.matchExpressions ?? []) as Json[]).map((one) => {
      if (one.operator === 'Exists') return one.key;
      if (one.operator === 'DoesNotExist') return `!${one.key}`;
      return `${one.key} ${String(one.operator).toLowerCase()} (${(one.values ?? []).join(',')})`;
    }),
  ].join(',');
  return text === '' ? '<none>' : text;
}

const created = (object: KubeObject, now: Date): string => since(object.metadata.creationTimestamp, now);

export const workloadTables: Record<string, TableLayout> = {
  Deployment: {
    columns: [
      name,
      ['Ready', 'string', 0],
      ['Up-to-date', 'string', 0],
      ['Available', 'string', 0],
      age,
      ...template,
      selector,
    ],
    row: (object, now) => [
      object.metadata.name,
      `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
      object.status?.updatedReplicas ?? 0,
      object.status?.availableReplicas ?? 0,
      created(object, now),
      ...containers(object.spec),
      labels(object.spec?.selector),
    ],
  },
  ReplicaSet: {
    columns: [
      name,
      ['Desired', 'integer', 0],
      ['Current', 'integer', 0],
      ['Ready', 'integer', 0],
      age,
      ...template,
      selector,
    ],
    row: (object, now) => [
      object.metadata.name,
      object.spec?.replicas ?? 0,
      object.status?.replicas ?? 0,
      object.status?.readyReplicas ?? 0,
      created(object, now),
      ...containers(object.spec),
      labels(object.spec?.selector),
    ],
  },
  StatefulSet: {
    columns: [name, ['Ready', 'string', 0], age, ...template],
    row: (object, now) => [
      object.metadata.name,
      `${object.status?.readyReplicas ?? 0}/${object.spec?.replicas ?? 0}`,
      created(object, now),
      ...containers(object.spec),
    ],
  },
  DaemonSet: {
    columns: [
      name,
      ['Desired', 'integer', 0],
      ['Current', 'integer', 0],
      ['Ready', 'integer', 0],
      ['Up-to-date', 'integer', 0],
      ['Available', 'integer', 0],
      ['Node Selector', 'string', 0],
      age,
      ...template,
      selector,
    ],
    row: (object, now) => [
      object.metadata.name,
      object.status?.desiredNumberScheduled ?? 0,
      object.status?.currentNumberScheduled ?? 0,
      object.status?.numberReady ?? 0,
      object.status?.updatedNumberScheduled ?? 0,
      object.status?.numberAvailable ?? 0,
      labels({ matchLabels: object.spec?.template?.spec?.nodeSelector }),
      created(object, now),
      ...containers(object.spec),
      labels(object.spec?.selector),
    ],
  },
  Job: {
    columns: [
      name,
      ['Status', 'string', 0],
      ['Completions', 'string', 0],
      ['Duration', 'string', 0],
      age,
      ...template,
      selector,
    ],
    row: (object, now) => {
      const { spec = {}, status = {} } = object;
      const conditions = (status.conditions ?? []) as Json[];
      const has = (type: string): boolean => conditions.some((one) => one.type === type && one.status === 'True');
      const state = has('Complete')
        ? 'Complete'
        : has('Failed')
          ? 'Failed'
          : object.metadata.deletionTimestamp
            ? 'Terminating'
            : has('Suspended')
              ? 'Suspended'
              : has('FailureTarget')
                ? 'FailureTarget'
                : 'Running';
      const took =
        status.startTime === undefined
          ? ''
          : duration(
              (status.completionTime === undefined ? now.getTime() : Date.parse(status.completionTime)) -
                Date.parse(status.startTime),
            );
      const done =
        spec.completions === undefined
          ? `${status.succeeded ?? 0}/1 of ${spec.parallelism ?? 1}`
          : `${status.succeeded ?? 0}/${spec.completions}`;
      return [
        object.metadata.name,
        state,
        done,
        took,
        created(object, now),
        ...containers(spec),
        labels(spec.selector),
      ];
    },
  },
  CronJob: {
    columns: [
      name,
      ['Schedule', 'string', 0],
      ['Timezone', 'string', 0],
      ['Suspend', 'boolean', 0],
      ['Active', 'integer', 0],
      ['Last Schedule', 'string', 0],
      age,
      ...template,
      selector,
    ],
    row: (object, now) => [
      object.metadata.name,
      object.spec?.schedule,
      object.spec?.timeZone ?? '<none>',
      object.spec?.suspend ? 'True' : 'False',
      (object.status?.active ?? []).length,
      object.status?.lastScheduleTime === undefined ? '<none>' : since(object.status.lastScheduleTime, now),
      created(object, now),
      ...containers(object.spec?.jobTemplate?.spec),
      labels(object.spec?.jobTemplate?.spec?.selector),
    ],
  },
};
