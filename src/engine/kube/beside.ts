/** What stands by itself beside an address: who logs in, and the connection's parameters. */
import { Secret } from '../secret.ts';
import { type Dsn, parseDsn } from './dsn.ts';
import type { EffectiveEnv } from './environment.ts';
import type { Login, Site } from './site.ts';

/** A variable or a setting with a host in it, by its name; the first group is the prefix that its siblings share. */
export const HOST_NAME = /^(.*?)(HOSTNAME|HOST|HOSTADDR|SERVER|ADDRESS|ADDR|ENDPOINT)$/i;

/** What libpq, node-pg and pgx take from the environment whatever the address says; JDBC and .NET look at none of it. */
export function parametersBeside(site: Site, env: EffectiveEnv): Readonly<Record<string, string>> {
  if (site.form === 'jdbc' || site.form === 'dotnet') return {};
  const prefix = HOST_NAME.exec(site.name)?.[1];
  const of = (...names: (string | undefined)[]): string | undefined => {
    for (const name of names) {
      const value = name === undefined ? undefined : env.variables.get(name)?.value;
      if (value) return value;
    }
    return undefined;
  };
  const options = of('PGOPTIONS');
  const sslmode = of('PGSSLMODE', prefix && `${prefix}SSLMODE`, prefix && `${prefix}SSL_MODE`);
  return { ...(options ? { options } : {}), ...(sslmode ? { sslmode } : {}) };
}

const LOGIN: Readonly<Record<keyof Login, readonly string[]>> = {
  user: ['USER', 'USERNAME', 'USR', 'LOGIN'],
  password: ['PASSWORD', 'PASS', 'PASSWD', 'PWD'],
  database: ['DATABASE', 'NAME', 'DB', 'DBNAME', 'DATABASE_NAME'],
};

/** `DB_USER` beside `DB_HOST`, `SPRING_DATASOURCE_USERNAME` beside `SPRING_DATASOURCE_URL`; expanded ones from the value. */
export function loginBeside(site: Site, env: EffectiveEnv): Login | undefined {
  const whole = site.source === 'composed' ? parseDsn(env.variables.get(site.name)?.value ?? '') : site.dsn;
  const prefix =
    HOST_NAME.exec(site.name)?.[1] ??
    /^(.*?)(?:URL|URI|DSN|CONNECTION_?STRING|CONN)$/i.exec(site.name)?.[1] ??
    undefined;
  const beside = (key: keyof Login): string | undefined => {
    if (prefix === undefined) return undefined;
    for (const name of LOGIN[key]) {
      const variable = env.variables.get(`${prefix}${name}`) ?? env.variables.get(`${prefix}${name.toLowerCase()}`);
      if (variable?.value && variable.origin.kind !== 'serviceLink') return variable.value;
    }
    return undefined;
  };
  return loginOf(whole, beside);
}

/** The same for settings without an address; `find` answers with the value of `USER`, `PASSWORD` … beside it. */
export const loginAmong = (find: (name: string) => string | undefined): Login | undefined =>
  loginOf(undefined, (key) => LOGIN[key].map(find).find((value) => value !== undefined && value !== ''));

function loginOf(whole: Dsn | undefined, beside: (key: keyof Login) => string | undefined): Login | undefined {
  // An application with a whole address may have a variable DB_NAME that means something else: the address wins.
  const user = whole?.user ?? beside('user');
  const database = whole?.database ?? (whole ? undefined : beside('database'));
  const clear = whole?.password ? undefined : beside('password');
  const password = whole?.password ?? (clear === undefined ? undefined : new Secret(clear));
  if (user === undefined && database === undefined && password === undefined) return undefined;
  return { ...(user ? { user } : {}), ...(database ? { database } : {}), ...(password ? { password } : {}) };
}
