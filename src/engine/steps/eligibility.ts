/** What speaks against moving one workload, beside what the workload says about itself: who it logs in as, TLS, start-up parameters. */
import type { Consumer, Workload } from '../kube/workload-types.ts';
import { parseVersion } from '../pgbouncer/version.ts';
import { type Login, loginsOf, loginText } from '../plan/logins.ts';
import type { Plan } from '../plan/schema.ts';
import { DRIVERS, driverAdvice } from '../postgres/drivers.ts';
import { sanitiseLine } from '../sanitise.ts';
import { driversOf } from './drivers-of.ts';
import type { StepContext } from './types.ts';

/** Reasons why the workload can't be switched as it is; empty when it can. Each is a sentence with what would help. */
export function blockersOf(plan: Plan, workload: Pick<Workload, 'findings' | 'consumers'>): string[] {
  const found = workload.findings.filter((one) => one.severity === 'block').map((one) => one.text);
  for (const consumer of workload.consumers.filter((one) => one.defaultIncluded)) {
    found.push(...mismatches(plan, consumer));
    // The operator's own manifests may offer TLS and accept more parameters: not ours to judge here.
    if (plan.pooler.manifests === undefined) found.push(...refusals(plan, consumer));
  }
  return [...new Set(found)];
}

/** The poolers serve the plan's logins. An address that leaves one half open fits when the other half does. */
function mismatches(plan: Plan, consumer: Consumer): string[] {
  const logins = loginsOf(plan);
  const role = known(consumer.user) ? consumer.user : undefined;
  const database = known(consumer.database) ? consumer.database : undefined;
  const fits = (one: Login) => (role ?? one.role) === one.role && (database ?? one.database) === one.database;
  if (logins.some(fits)) return [];
  const served = logins.map(loginText).join(', ');
  const uses = [
    ...(role === undefined ? [] : [`logs in as ${sanitiseLine(role, 63)}`]),
    ...(database === undefined ? [] : [`uses the database ${sanitiseLine(database, 63)}`]),
  ].join(' and ');
  return [
    `${consumer.name} ${uses}, and the pooler of this plan serves ${served}: add it to postgres.also in the plan, when it is on the same PostgreSQL.`,
  ];
}

/** A value that is not known before the pod runs says nothing. */
const known = (text: string | undefined): text is string => text !== undefined && text !== '' && !text.includes('$(');

const NEEDS_TLS = new Set(['require', 'verify-ca', 'verify-full', 'no-verify', 'verifyca', 'verifyfull']);
const TRUE = new Set(['true', '1', 'yes', 'on']);
/**
 * Settings of a session that a driver sends when it logs in. PgBouncer follows a handful of them per client (TimeZone,
 * DateStyle, client_encoding, application_name, standard_conforming_strings, from 1.20 on IntervalStyle) and refuses the
 * rest; ignore_startup_parameters would drop them without a word.
 */
const STARTUP =
  /^(options|search_path|searchpath|currentschema|statement_timeout|lock_timeout|idle_in_transaction_session_timeout|idle_session_timeout|transaction_timeout|default_transaction_isolation|default_transaction_read_only|default_transaction_deferrable|client_min_messages|work_mem|jit|role|row_security|synchronous_commit|plan_cache_mode)$/;

function refusals(plan: Plan, consumer: Consumer): string[] {
  const found: string[] = [];
  for (const [name, value] of Object.entries(consumer.parameters)) {
    const key = name.toLowerCase().replaceAll(' ', '');
    const text = value.toLowerCase().replaceAll(/[\s"']/g, '');
    if (
      plan.pooler.tls?.client === undefined &&
      (((key === 'sslmode' || key === 'ssl') && NEEDS_TLS.has(text)) || (key === 'ssl' && TRUE.has(text)))
    ) {
      found.push(
        `${consumer.name} demands TLS (${sanitiseLine(name, 40)}=${sanitiseLine(value, 40)}), and the pooler's port has no certificate: give it one (pooler.tls.client in the plan), or use sslmode=prefer inside the cluster.`,
      );
    }
    if (STARTUP.test(key) && text !== '') {
      found.push(
        `${consumer.name} sends the start-up parameter ${sanitiseLine(name, 60)}, which PgBouncer refuses: set it on the role (ALTER ROLE … IN DATABASE … SET), then take it out of the address.`,
      );
    }
  }
  return found;
}

/** Does one of its addresses check the certificate it is shown? */
export const verifiesCertificates = (workload: Pick<Workload, 'consumers'>): boolean =>
  workload.consumers.some((one) =>
    Object.entries(one.parameters).some(
      ([name, value]) => /^ssl(mode)?$/i.test(name) && /verify-?(ca|full)/i.test(value),
    ),
  );

/** A driver that prepares statements, and a PgBouncer that runs now and forgets them. Said only once its version is known. */
export function forgottenStatements(ctx: StepContext, workload: Workload): string[] {
  const seen = ctx.state().facts.poolerVersion;
  const version = typeof seen === 'string' ? parseVersion(seen) : undefined;
  const own = driversOf([workload]).get(workload.ref.name);
  if (!version?.ok || !own?.prepares || !driverAdvice(own.driver, version.value).breaks) return [];
  return [
    `${DRIVERS[own.driver].title} uses prepared statements, which PgBouncer ${version.value.text} does not keep: run 1.21 or later, or turn them off in the driver.`,
  ];
}
