/** What the live load saw: per service, since the cluster started. */
import type { LoadCounts } from '../pods/worker-messages.ts';

interface ServiceLoad {
  queries: number;
  /** Queries that failed in a pod that had been connected: what a client of the service would have noticed. */
  failed: number;
  /** Messages of failures and of refused connections, with their counts. */
  errors: Record<string, number>;
  /** Mean time of the answered queries in milliseconds. */
  milliseconds: number;
  pods: number;
  ready: number;
}

export interface LoadReport {
  /** RFC 3339. */
  since: string;
  services: Record<string, ServiceLoad>;
  totals: { queries: number; failed: number };
}

export class LoadBook {
  readonly #since = new Date();
  readonly #services = new Map<string, LoadCounts>();

  add(service: string, counts: LoadCounts): void {
    const total = this.#services.get(service) ?? { queries: 0, failed: 0, milliseconds: 0, errors: {} };
    total.queries += counts.queries;
    total.failed += counts.failed;
    total.milliseconds += counts.milliseconds;
    for (const [message, count] of Object.entries(counts.errors))
      total.errors[message] = (total.errors[message] ?? 0) + count;
    this.#services.set(service, total);
  }

  report(pods: (service: string) => { pods: number; ready: number }, services: readonly string[]): LoadReport {
    const out: LoadReport = { since: this.#since.toISOString(), services: {}, totals: { queries: 0, failed: 0 } };
    for (const service of new Set([...services, ...this.#services.keys()])) {
      const { queries, failed, milliseconds, errors } = this.#services.get(service) ?? {
        queries: 0,
        failed: 0,
        milliseconds: 0,
        errors: {},
      };
      const answered = queries - failed;
      out.services[service] = {
        queries,
        failed,
        errors: { ...errors },
        milliseconds: answered > 0 ? milliseconds / answered : 0,
        ...pods(service),
      };
      out.totals.queries += queries;
      out.totals.failed += failed;
    }
    return out;
  }
}
