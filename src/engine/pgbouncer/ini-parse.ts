/** Reads an operator's own pgbouncer.ini, as far as the checks need it. */
export interface ParsedIni {
  /** `[databases]`: alias → its `key=value` pairs. */
  readonly databases: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** `[pgbouncer]`, keys in lower case. */
  readonly settings: ReadonlyMap<string, string>;
  /** Lines of other shapes, by number (1-based). */
  readonly odd: readonly number[];
}

/** `host=x user='it''s'` as a map; PgBouncer's connection strings double the quote inside quotes. */
function parseDsn(text: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const match of text.matchAll(/([A-Za-z_]+)\s*=\s*(?:'((?:[^']|'')*)'|(\S*))/g)) {
    pairs.set(match[1]!.toLowerCase(), match[2] !== undefined ? match[2].replaceAll("''", "'") : match[3]!);
  }
  return pairs;
}

export function parseIni(text: string): ParsedIni {
  const databases = new Map<string, Map<string, string>>();
  const settings = new Map<string, string>();
  const odd: number[] = [];
  let section = '';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith(';') || line.startsWith('#') || line.startsWith('%include')) continue;
    const header = /^\[([^\]]+)\]$/.exec(line);
    if (header) {
      section = header[1]!.toLowerCase();
      continue;
    }
    const pair = /^("(?:[^"]|"")*"|[^=\s]+)\s*=\s*(.*)$/.exec(line);
    if (!pair) {
      odd.push(index + 1);
      continue;
    }
    const key = pair[1]!.replace(/^"|"$/g, '').replaceAll('""', '"');
    if (section === 'databases') databases.set(key, parseDsn(pair[2]!));
    else if (section === 'pgbouncer') settings.set(key.toLowerCase(), pair[2]!);
  }
  return { databases, settings, odd };
}
