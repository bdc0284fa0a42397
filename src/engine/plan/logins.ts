/** Who logs in where: the pairs of role and database that the services of a plan use, and the poolers serve. */
import type { Plan } from './schema.ts';

export interface Login {
  readonly role: string;
  readonly database: string;
}

type Named = Pick<Plan, 'postgres'>;

/** The plan's own login first; it is the one the wizard looks around with. */
export function loginsOf({ postgres }: Named): readonly Login[] {
  const { role, database, also = [] } = postgres;
  return [{ role, database }, ...also.map((one) => ({ role: one.role, database: one.database ?? database }))];
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];

export const rolesOf = (plan: Named): string[] => unique(loginsOf(plan).map((one) => one.role));

export const databasesOf = (plan: Named): string[] => unique(loginsOf(plan).map((one) => one.database));

/** Roles of each database, in the plan's order. */
export function rolesByDatabase(plan: Named): ReadonlyMap<string, string[]> {
  const logins = loginsOf(plan);
  return new Map(
    databasesOf(plan).map((database) => [
      database,
      logins.filter((one) => one.database === database).map((one) => one.role),
    ]),
  );
}

export const loginText = ({ role, database }: Login): string => `${role} in ${database}`;
