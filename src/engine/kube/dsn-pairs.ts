/** Key/value forms: libpq (`host=a port=1`) and .NET (`Host=a;Port=1`). */
import { DEFAULT_PORT, type Dsn, type DsnHost, type PortLayout, type Span, secretOf } from './dsn.ts';
import { listHosts } from './dsn-url.ts';

interface Pair {
  readonly key: string;
  readonly value: string;
  /** Of the value inside its quotes. */
  readonly span: Span;
  /** Of the whole value with its quotes. */
  readonly outer: Span;
}

export function parsePairs(text: string): Dsn | undefined {
  if (!text.includes('=')) return undefined;
  // A semicolon may be part of a libpq password; it is never part of a host. libpq knows its own keys in lower case only.
  const libpq = readLibpq(text);
  if (libpq?.some((p) => p.key === 'host' && !/[;=]/.test(p.value))) return fromPairs(libpq, text, 'libpq');
  const dotnet = readDotnet(text);
  return dotnet ? fromPairs(dotnet, text, 'dotnet') : undefined;
}

const KEYS = {
  libpq: { host: ['host'], port: ['port'], user: ['user'], password: ['password'], database: ['dbname'] },
  dotnet: {
    host: ['host', 'server', 'data source'],
    port: ['port'],
    user: ['username', 'user name', 'user id', 'userid', 'user', 'uid'],
    password: ['password', 'pwd', 'psw'],
    database: ['database', 'db', 'initial catalog'],
  },
};

function fromPairs(pairs: Pair[], text: string, form: 'libpq' | 'dotnet'): Dsn | undefined {
  const keys = KEYS[form];
  const find = (names: string[]) => pairs.find((p) => names.includes(form === 'libpq' ? p.key : p.key.toLowerCase()));
  const host = find(keys.host);
  if (!host) return undefined;
  // A value with escapes has other bytes than it means: such hosts do not exist, so do not guess.
  if (text.slice(host.span.start, host.span.end) !== host.value) return undefined;
  const port = find(keys.port);
  const user = find(keys.user);
  const password = find(keys.password);
  const database = find(keys.database);
  const inline = form === 'dotnet' ? inlineHosts(host, port?.value) : undefined;
  const hosts = inline ?? listHosts(host.value, host.span, port?.value);
  if (hosts.length === 0) return undefined;
  const ports: PortLayout = inline
    ? { kind: 'inline' }
    : {
        kind: 'list',
        ...(port ? { span: port.span } : {}),
        insertAt: host.outer.end,
        insertBefore: form === 'libpq' ? ' port=' : ';Port=',
      };
  const known = [host, port, user, password, database];
  const parameters: Record<string, string> = {};
  const passwordSpans: Span[] = [];
  for (const pair of pairs) {
    if (pair === password || /password|passfile|secret/i.test(pair.key)) passwordSpans.push(pair.outer);
    else if (!known.includes(pair)) parameters[pair.key] = pair.value;
  }
  const secret = secretOf(password?.value);
  return {
    form,
    text,
    hosts,
    ports,
    ...(user ? { user: user.value } : {}),
    ...(secret ? { password: secret } : {}),
    passwordSpans: passwordSpans.filter((s) => s.end > s.start),
    ...(database ? { database: database.value } : {}),
    parameters,
    ...(parameters.hostaddr ? { fixed: 'hostaddr names an IP address beside the host name' } : {}),
  };
}

/** Npgsql's `Host=a:5432,b:5433`; `undefined` when no host carries a port of its own. */
function inlineHosts(pair: Pair, port: string | undefined): DsnHost[] | undefined {
  const parts = pair.value.split(',');
  if (!parts.some((p) => /^[^:]+:\d+$/.test(p))) return undefined;
  const fallback = port && /^\d+$/.test(port) ? Number(port) : DEFAULT_PORT;
  let at = pair.span.start;
  return parts.map((part) => {
    const [host = '', own] = part.split(':');
    const start = at;
    at += part.length + 1;
    const portStart = start + host.length + 1;
    return {
      host,
      port: own ? Number(own) : fallback,
      hostSpan: { start, end: start + host.length },
      ...(own ? { portSpan: { start: portStart, end: portStart + own.length } } : {}),
    };
  });
}

/**
 * `key = value` separated by blanks; quotes `'…'`, backslash escapes. Settings of the server are keys too for pgx and what
 * builds on it (`TimeZone=UTC`). `undefined` when anything does not fit.
 */
function readLibpq(text: string): Pair[] | undefined {
  const pairs: Pair[] = [];
  const token = /\s*([A-Za-z_][\w.]*)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/y;
  const trimmedEnd = text.trimEnd().length;
  while (token.lastIndex < trimmedEnd) {
    const match = token.exec(text);
    if (!match) return undefined;
    const quoted = match[2] !== undefined;
    const raw = quoted ? match[2]! : match[3]!;
    const outerEnd = token.lastIndex;
    const end = quoted ? outerEnd - 1 : outerEnd;
    pairs.push({
      key: match[1]!,
      value: raw.replace(/\\(.)/g, '$1'),
      span: { start: end - raw.length, end },
      outer: { start: quoted ? end - raw.length - 1 : end - raw.length, end: outerEnd },
    });
  }
  return pairs.length > 0 ? pairs : undefined;
}

/** `Key=Value;Key="quoted; value"`. */
function readDotnet(text: string): Pair[] | undefined {
  const pairs: Pair[] = [];
  const token = /\s*([A-Za-z][A-Za-z ]*?)\s*=\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^;]*?))\s*(?:;|$)/y;
  const trimmedEnd = text.trimEnd().replace(/[;\s]+$/, '').length;
  while (token.lastIndex < trimmedEnd) {
    const start = token.lastIndex;
    const match = token.exec(text);
    if (!match) return undefined;
    const [whole, key] = match;
    const raw = match[2] ?? match[3] ?? match[4]!;
    const quoted = match[4] === undefined;
    const valueAt = start + whole.indexOf('=') + 1;
    const after = text.slice(valueAt).search(/\S/);
    const outerStart = after < 0 ? valueAt : valueAt + after;
    const innerStart = raw === '' && !quoted ? valueAt : quoted ? outerStart + 1 : outerStart;
    pairs.push({
      key: key!,
      value:
        match[2] !== undefined ? raw.replaceAll('""', '"') : match[3] !== undefined ? raw.replaceAll("''", "'") : raw,
      span: { start: innerStart, end: innerStart + raw.length },
      outer: { start: quoted ? outerStart : innerStart, end: innerStart + raw.length + (quoted ? 1 : 0) },
    });
  }
  return pairs.length > 0 ? pairs : undefined;
}
