/** Jobs and CronJobs (pkg/controller/job, cronjob). CronJobs run at their schedule's minute, in UTC unless a time zone is named. */
import type { Json, KubeObject, ObjectStore } from '../contract.ts';
import { cronMatches } from './cron.ts';
import { controllerOf } from './deployment.ts';
import { createEventRecorder, now } from './events.ts';
import { isActive, isReady, podFromTemplate } from './pod-sets.ts';
import { createWorkQueue } from './queue.ts';

const JOBS = 'jobs.batch';
const CRONJOBS = 'cronjobs.batch';
const MANAGER = { manager: 'kube-controller-manager' };

export function startJobController(store: ObjectStore, report: (key: string, error: unknown) => void): () => void {
  const events = createEventRecorder(store, 'job-controller');
  const queue = createWorkQueue((key) => sync(key), report);
  const stop = store.watch(({ resource, object }) => {
    if (resource === JOBS) queue.add(`${object.metadata.namespace}/${object.metadata.name}`);
    else if (resource === 'pods') {
      const owner = controllerOf(object);
      if (owner?.kind === 'Job') queue.add(`${object.metadata.namespace}/${owner.name}`);
    }
  });
  for (const job of store.list(JOBS)) queue.add(`${job.metadata.namespace}/${job.metadata.name}`);

  function sync(key: string): void {
    const [namespace, name] = key.split('/') as [string, string];
    const job = store.get(JOBS, namespace, name);
    if (!job || job.metadata.deletionTimestamp) return;
    const finished = (job.status?.conditions ?? []).find(
      (item: Json) => ['Complete', 'Failed'].includes(item.type) && item.status === 'True',
    );
    if (finished) {
      const ttl: number | undefined = job.spec.ttlSecondsAfterFinished;
      if (ttl === undefined) return;
      const due = Date.parse(finished.lastTransitionTime) + ttl * 1000 - Date.now();
      if (due <= 0) store.delete(JOBS, namespace, name, { uid: job.metadata.uid });
      else queue.addAfter(key, due + 10);
      return;
    }
    const pods = store
      .list('pods', namespace, job.spec.selector?.matchLabels ?? { 'batch.kubernetes.io/job-name': name })
      .filter((pod) => controllerOf(pod)?.uid === job.metadata.uid);
    const active = pods.filter(isActive);
    const succeeded = pods.filter((pod) => pod.status?.phase === 'Succeeded').length;
    const failed = pods.filter((pod) => pod.status?.phase === 'Failed').length;
    const completions: number = job.spec.completions ?? 1;
    const limit: number = job.spec.backoffLimit ?? 6;
    const started = job.status?.startTime ?? now();
    const deadline: number | undefined = job.spec.activeDeadlineSeconds;
    const late = deadline !== undefined && Date.parse(started) + deadline * 1000 <= Date.now();

    const status: Json = { ...job.status, startTime: started };
    if (active.length) status.active = active.length;
    else delete status.active;
    status.ready = active.filter(isReady).length;
    if (succeeded) status.succeeded = succeeded;
    if (failed) status.failed = failed;
    if (succeeded >= completions) {
      status.completionTime = now();
      status.conditions = [
        ended('SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods'),
        ended('Complete', 'CompletionsReached', 'Reached expected number of succeeded pods'),
      ];
      events.event(job, 'Normal', 'Completed', 'Job completed');
    } else if (failed > limit || late) {
      const [reason, message] = late
        ? ['DeadlineExceeded', 'Job was active longer than specified deadline']
        : ['BackoffLimitExceeded', 'Job has reached the specified backoff limit'];
      status.conditions = [
        ended('FailureTarget', reason as string, message as string),
        ended('Failed', reason as string, message as string),
      ];
      for (const pod of active) store.delete('pods', namespace, pod.metadata.name, { uid: pod.metadata.uid });
      events.event(job, 'Warning', reason as string, message as string);
    } else if (!job.spec.suspend) {
      const wanted = Math.min(job.spec.parallelism ?? 1, completions - succeeded);
      for (let i = active.length; i < wanted; i++) {
        const pod = podFromTemplate(job, job.spec.template, {
          labels: {
            'batch.kubernetes.io/job-name': name,
            'job-name': name,
            'batch.kubernetes.io/controller-uid': job.metadata.uid as string,
            'controller-uid': job.metadata.uid as string,
          },
        });
        const created = store.create('pods', pod, MANAGER);
        events.event(job, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
      }
      if (deadline !== undefined) queue.addAfter(key, Date.parse(started) + deadline * 1000 - Date.now() + 10);
    }
    if (JSON.stringify(status) !== JSON.stringify(job.status ?? {}))
      store.updateStatus(JOBS, { ...job, status }, MANAGER);
  }

  return () => {
    stop();
    queue.close();
  };
}

const ended = (type: string, reason: string, message: string): Json => ({
  type,
  status: 'True',
  lastProbeTime: now(),
  lastTransitionTime: now(),
  reason,
  message,
});

/** Looks at the schedules once at each start of a minute. */
export function startCronJobController(store: ObjectStore, report: (key: string, error: unknown) => void): () => void {
  const events = createEventRecorder(store, 'cronjob-controller');
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(tick, 60_000 - (Date.now() % 60_000) + 50);
    timer.unref();
  };
  const tick = () => {
    const at = new Date();
    for (const cron of store.list(CRONJOBS)) {
      if (cron.spec.suspend || !cronMatches(cron.spec.schedule, at, cron.spec.timeZone)) continue;
      try {
        run(cron, at);
      } catch (error) {
        report(`${cron.metadata.namespace}/${cron.metadata.name}`, error);
      }
    }
    wait();
  };
  wait();

  function run(cron: KubeObject, at: Date): void {
    const own = store.list(JOBS, cron.metadata.namespace).filter((job) => controllerOf(job)?.uid === cron.metadata.uid);
    const active = own.filter(
      (job) => !(job.status?.conditions ?? []).some((item: Json) => ['Complete', 'Failed'].includes(item.type)),
    );
    if (active.length > 0 && cron.spec.concurrencyPolicy === 'Forbid') return;
    if (cron.spec.concurrencyPolicy === 'Replace')
      for (const job of active) store.delete(JOBS, job.metadata.namespace, job.metadata.name);
    const job = store.create(JOBS, jobOf(cron, `${cron.metadata.name}-${Math.floor(at.getTime() / 60_000)}`), MANAGER);
    events.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${job.metadata.name}`);
    store.updateStatus(CRONJOBS, { ...cron, status: { ...cron.status, lastScheduleTime: now(at) } }, MANAGER);
  }

  return () => clearTimeout(timer);
}

function jobOf(cron: KubeObject, name: string): KubeObject {
  const template = cron.spec.jobTemplate;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace: cron.metadata.namespace,
      labels: { ...template.metadata?.labels },
      annotations: { ...template.metadata?.annotations },
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'CronJob',
          name: cron.metadata.name,
          uid: cron.metadata.uid as string,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: structuredClone(template.spec),
  };
}
