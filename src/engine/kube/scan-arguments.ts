/** Addresses in the command and the arguments of a container: whole ones anywhere, split ones behind flags. Pure. */
import { dsnsIn } from './dsns-in-text.ts';
import { type EffectiveEnv, references } from './environment.ts';
import type { Setting } from './settings-in-text.ts';
import type { Site, Where } from './site.ts';
import { splitAddresses } from './split-in-text.ts';
import { isTarget, type ResolvedTarget } from './target.ts';
import type { Json } from './types.ts';

export function argumentSites(container: Json, env: EffectiveEnv, where: Where, target: ResolvedTarget): Site[] {
  return (['command', 'args'] as const).flatMap((field) => {
    const elements = ((container[field] ?? []) as unknown[]).map(String);
    return [...wholeAddresses(elements, field, env, where, target), ...flagAddresses(elements, field, where, target)];
  });
}

type Field = 'command' | 'args';

function wholeAddresses(
  elements: readonly string[],
  field: Field,
  env: EffectiveEnv,
  where: Where,
  target: ResolvedTarget,
): Site[] {
  const sites: Site[] = [];
  for (const [index, element] of elements.entries()) {
    for (const found of dsnsIn(element)) {
      const hit = found.dsn.hosts.find((h) => isTarget(target, h));
      if (!hit) continue;
      sites.push({
        ...where,
        source: 'argument',
        form: found.dsn.form,
        name: `${field}[${index}]`,
        place: { kind: 'argument', field, index, start: found.start, end: found.end },
        raw: element,
        text: found.dsn.text,
        dsn: found.dsn,
        host: hit.host,
        portNumber: hit.port,
      });
    }
  }
  // A DSN that appears only after expansion is held by the variable, which is a site of its own.
  return sites.filter((s) => references(s.text).every((name) => env.variables.has(name)));
}

interface Flag extends Setting {
  /** Of the element with the value. */
  readonly index: number;
}

function flagAddresses(elements: readonly string[], field: Field, where: Where, target: ResolvedTarget): Site[] {
  return splitAddresses(flagsIn(elements), target).map(
    ({ form, host, port, hostName, portNumber, login, sslmode }) => ({
      ...where,
      source: 'argument',
      form,
      name: host.path,
      place: {
        kind: 'argument',
        field,
        index: host.index,
        start: host.start,
        end: host.end,
        ...(port ? { port: { index: port.index, start: port.start, end: port.end } } : {}),
      },
      raw: elements[host.index],
      text: host.value,
      ...(port ? { port: { name: port.path } } : {}),
      host: hostName,
      portNumber,
      ...(login ? { login } : {}),
      ...(sslmode ? { beside: { sslmode } } : {}),
    }),
  );
}

/** `--db-host=postgres`, and `--db-host` before `postgres`. What a shell would have to read first is not looked into. */
function flagsIn(elements: readonly string[]): Flag[] {
  return elements.flatMap((element, index): Flag[] => {
    const [, dashes, key, value] = /^(--?)([A-Za-z][\w.-]*)(?:=(.*))?$/s.exec(element) ?? [];
    if (dashes === undefined || key === undefined) return [];
    const flag = { group: '', key, path: dashes + key };
    if (value !== undefined)
      return [{ ...flag, value, index, start: element.length - value.length, end: element.length }];
    const next = elements[index + 1];
    return next === undefined || next.startsWith('-')
      ? []
      : [{ ...flag, value: next, index: index + 1, start: 0, end: next.length }];
  });
}
