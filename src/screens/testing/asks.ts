/** What the run asks: one of each kind. */
import type { Ask, ChangePreview } from '../../engine/run/model.ts';
import { at, FLEET } from './fleet.ts';
import { gates } from './measured.ts';

export const PREVIEW = {
  summary: 'switch DATABASE_URL of deployment/notification-service to pgbouncer:6432',
  diff: [
    { kind: 'context', text: 'deployment/notification-service, container app' },
    { kind: 'remove', text: 'DATABASE_URL=postgresql://nova_user:***@postgres:5432/nova' },
    { kind: 'add', text: 'DATABASE_URL=postgresql://nova_user:***@pgbouncer:6432/nova' },
    { kind: 'note', text: 'rolls 1 pod; the original value is kept in secret/pgb-wizard-originals-7f3a' },
  ],
  commands: [
    'kubectl set env deployment/notification-service -c app DATABASE_URL=*** -n nova',
    'kubectl rollout status deployment/notification-service -n nova --timeout=5m',
  ],
  departures: [
    'The guide overwrites the whole value; only host and port are replaced, so that options behind the ? survive.',
  ],
  warnings: ['no PodDisruptionBudget selects these pods'],
} as const;

/** The change of every service, as step 1.5 shows it. */
export const PREPARE_PREVIEW: ChangePreview = {
  summary: `keep the originals of ${FLEET.length} services in Secret pgb-wizard-run-7f3a; no service is touched yet`,
  diff: FLEET.flatMap(([service]) => [
    { kind: 'title', text: service },
    { kind: 'context', text: 'app/DATABASE_URL' },
    { kind: 'remove', text: 'postgresql://nova_user:•••@postgres:5432/nova' },
    {
      kind: 'add',
      text: `postgresql://nova_user:•••@pgbouncer:6432/nova (Secret ${service}-pgb-7f3a, key DATABASE_URL)`,
    },
  ]),
  commands: FLEET.map(([service]) => `kubectl patch deployment/${service} -n nova --type=json -p '[…]'`),
  departures: ['The old password stays readable in old ReplicaSets: rotate it after the migration.'],
};

export const failureAsk: Extract<Ask, { kind: 'failure' }> = {
  id: 'ask-9',
  kind: 'failure',
  stepId: 'p3.auth-service.migrate',
  title: 'auth-service does not start with the pooler',
  service: 'auth-service',
  cause:
    'container app of auth-service-58c9f6d4b7-2m8xv is in CrashLoopBackOff: exit code 1, "password authentication failed for user nova_user"',
  hint: 'Roll auth-service back, then compare its password with the verifier in secret/pgbouncer-userlist.',
  verdict: 'fail',
  findings: [
    {
      symptom: 'authentication failures',
      cause: 'the password in secret/auth-db differs from the one the verifier was made from',
      check: 'SHOW CLIENTS and the log of pgbouncer-7d9c5b8f4-fzxtq',
      observed: '12 x "password authentication failed" in 30 s',
      fix: 'Put the same password in secret/auth-db, or run p1.credentials again with it.',
    },
  ],
  logTail: [
    'app  | connecting to pgbouncer:6432',
    'app  | FATAL: password authentication failed for user "nova_user"',
    'app  | exit 1',
  ],
  options: ['retry', 'rollback-service', 'rollback-phase', 'rollback-all', 'waive', 'leave'],
};

export const decideAsk: Extract<Ask, { kind: 'decide' }> = {
  id: 'ask-5',
  kind: 'decide',
  stepId: 'p2.decide',
  phase: 'p2',
  title: 'Continue with phase 3?',
  gates: gates(),
  soakMs: 30 * 60_000,
  soakUntil: at(41 * 60_000 + 12_000 + 11 * 60_000),
  recommendation: 'wait',
};

export const rollbackAsk: Extract<Ask, { kind: 'rollback' }> = {
  id: 'ask-7',
  kind: 'rollback',
  scope: { kind: 'phase', phase: 'p2' },
  title: 'Roll back phase 2: 3 services',
  preview: {
    summary: 'put the original DATABASE_URL of 3 services back, to the byte, in reverse order',
    diff: ['cdn-service', 'notification-service', 'identity-service'].flatMap((name) => [
      { kind: 'context' as const, text: `deployment/${name}, container app` },
      { kind: 'remove' as const, text: 'DATABASE_URL=postgresql://nova_user:***@pgbouncer:6432/nova' },
      { kind: 'add' as const, text: 'DATABASE_URL=postgresql://nova_user:***@postgres:5432/nova' },
    ]),
    commands: ['kubectl patch deployment/cdn-service -n nova --type json -p ***'],
    destructive: true,
  },
  services: ['cdn-service', 'notification-service', 'identity-service'],
  typed: 'prod-eu-1/nova',
};

export const reconcileAsk: Extract<Ask, { kind: 'reconcile' }> = {
  id: 'ask-1',
  kind: 'reconcile',
  rows: [
    { what: 'identity-service', journal: 'pooled', cluster: 'pooled, 1/1 Ready', willDo: 'nothing', verdict: 'agrees' },
    {
      what: 'notification-service',
      journal: 'switch sent, no answer seen',
      cluster: 'new template, 0/1 Ready',
      willDo: 'wait for the rollout',
      verdict: 'continue',
    },
    {
      what: 'cdn-service',
      journal: 'not begun',
      cluster: 'DATABASE_URL changed by argocd',
      willDo: 'ask before it is touched',
      verdict: 'ask',
    },
    {
      what: 'lock',
      journal: 'held by alice@bastion',
      cluster: 'expired 4 m ago',
      willDo: 'take it',
      verdict: 'continue',
    },
  ],
};
