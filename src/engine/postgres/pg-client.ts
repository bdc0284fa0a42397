/** The one place that names `pg`: imported lazily (`await import('./pg-client.ts')`), so that start-up does not pay for it. */
import pg from 'pg';

export const Client = pg.Client;
