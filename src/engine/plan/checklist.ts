/** The guide's monitoring checklist, in its words and order. Asked after every phase, shown in the record. */
export const CHECKLIST = [
  'Pod is Running and Ready',
  'No errors in pod logs',
  'PgBouncer pool shows idle connections',
  'Application health checks passing',
  'Database queries executing normally',
  'No connection timeouts',
  'Response times normal (within 10% of baseline)',
  'Error rate normal (0%)',
] as const;
