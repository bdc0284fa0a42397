/** A container whose command is a program of this machine (`pgbench`, `psql`, a shell), or a migration image. */

import { type ContainerContext, type RunningContainer, StartError } from './container.ts';
import { findDatabase } from './dsn.ts';
import { expand } from './environment.ts';
import { imageName } from './images.ts';
import { startProcess } from './process.ts';
import { findProgram, type PodPlace, placeArguments, programEnvironment } from './programs.ts';

export async function startCommand(context: ContainerContext): Promise<RunningContainer> {
  const place: PodPlace = { ...context, postgres: false, port: (port) => port };
  const { container, env } = context;
  let words: string[] = [...(container.command ?? []), ...(container.args ?? [])].map((text: string) =>
    expand(text, (name) => env.get(name)),
  );
  const more: Record<string, string> = {};
  if (words.length === 0 && imageName(container.image).endsWith('-migrate')) {
    // A migration: waits for its database, runs one idempotent statement, ends.
    const database = findDatabase(env);
    if (!database) throw new StartError('RunContainerError', 'no database address in the environment');
    words = [
      'psql',
      '-X',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      database.host,
      '-p',
      String(database.port),
      '-U',
      database.user,
      '-d',
      database.database,
      '-c',
      'create table if not exists schema_migrations (version bigint primary key)',
    ];
    more.PGPASSWORD = database.password;
  }
  const [name = '', ...args] = words;
  const program = findProgram(name, context.machine);
  if (!program) throw new StartError('RunContainerError', notFoundMessage(name));
  return startProcess(context, program, placeArguments(args, place), {
    env: { ...programEnvironment(place), ...more },
  });
}

/** What runc says about a program that the image lacks. */
export function notFoundMessage(name: string): string {
  return name.includes('/')
    ? `exec: ${JSON.stringify(name)}: stat ${name}: no such file or directory`
    : `exec: ${JSON.stringify(name)}: executable file not found in $PATH`;
}
