/** URLs: `postgresql://`, `postgres+driver://`, `jdbc:postgresql://`, with several hosts, IPv6, and hosts in the query. */
import { DEFAULT_PORT, type Dsn, type DsnHost, type PortLayout, type Span, secretOf } from './dsn.ts';

const SCHEME = /^\s*["']?(jdbc:|r2dbc:)?(postgres|postgresql|postgis|pgsql)(\+[a-z0-9_]+)?:\/\//i;

export function parseUrl(whole: string): Dsn | undefined {
  // A Secret made of a file ends with its newline, one made of an env file keeps its quotes: no part of the database's name.
  const text = whole.replace(/["']?\s*$/, '');
  const scheme = SCHEME.exec(text);
  if (!scheme) return undefined;
  const begin = scheme[0].length;
  const jdbc = scheme[1] !== undefined;
  const { userEnd, end } = authority(text, begin);
  const credentials = userEnd === undefined ? undefined : readUserInfo(text, begin, userEnd);
  const hostsBegin = userEnd === undefined ? begin : userEnd + 1;
  let hosts = readHosts(text, hostsBegin, end);
  if (hosts === undefined) return undefined;
  let ports: PortLayout = { kind: 'inline' };

  const hash = text.indexOf('#', end);
  const queryMark = text.indexOf('?', end);
  const query = queryMark >= 0 && (hash < 0 || queryMark < hash) ? queryMark : -1;
  const pathEnd = query >= 0 ? query : hash >= 0 ? hash : text.length;
  const database = text[end] === '/' ? decode(text.slice(end + 1, pathEnd)) : undefined;
  const parameters = query < 0 ? [] : readQuery(text, query + 1, hash < 0 ? text.length : hash);

  // postgresql:///nova?host=a,b&port=5432: libpq takes hosts from the query when the authority has none.
  const hostParameter = parameters.find((p) => p.name === 'host');
  if (hosts.length === 0 && hostParameter) {
    const portParameter = parameters.find((p) => p.name === 'port');
    hosts = listHosts(hostParameter.value, hostParameter.span, portParameter?.value);
    ports = {
      kind: 'list',
      ...(portParameter ? { span: portParameter.span } : {}),
      insertAt: hostParameter.span.end,
      insertBefore: '&port=',
    };
  }
  if (hosts === undefined || hosts.length === 0) return undefined;

  const passwordSpans: Span[] = credentials?.passwordSpan ? [credentials.passwordSpan] : [];
  let { user, password } = credentials ?? {};
  const rest: Record<string, string> = {};
  for (const { name, value, span } of parameters) {
    if (name === 'user') user ??= value;
    else if (name === 'password') {
      password ??= value;
      passwordSpans.push(span);
    } else if (/password|secret|token/i.test(name)) passwordSpans.push(span);
    else rest[name] = value;
  }
  const secret = secretOf(password);
  return {
    form: jdbc ? 'jdbc' : 'url',
    text: whole,
    hosts,
    ports,
    ...(user ? { user } : {}),
    ...(secret ? { password: secret } : {}),
    passwordSpans: passwordSpans.filter((s) => s.end > s.start),
    ...(database ? { database } : {}),
    parameters: rest,
    ...(rest.hostaddr ? { fixed: 'hostaddr names an IP address beside the host name' } : {}),
  };
}

/** Ends of the user part and of the hosts. Passwords with unescaped `#`, `?` or `@` are in the wild. */
function authority(text: string, begin: number): { userEnd?: number; end: number } {
  const strict = firstOf(text, begin, '/?#');
  const at = text.lastIndexOf('@', strict - 1);
  if (at >= begin) return { userEnd: at, end: strict };
  if (readHosts(text, begin, strict) !== undefined) return { end: strict };
  // libpq looks for the @ up to the first slash only.
  const loose = firstOf(text, begin, '/');
  const looseAt = text.lastIndexOf('@', loose - 1);
  if (looseAt < begin) return { end: strict };
  return { userEnd: looseAt, end: firstOf(text, looseAt, '/?#') };
}

function firstOf(text: string, from: number, stops: string): number {
  for (let i = from; i < text.length; i++) if (stops.includes(text[i]!)) return i;
  return text.length;
}

function readUserInfo(text: string, begin: number, end: number) {
  const colon = text.indexOf(':', begin);
  if (colon < 0 || colon >= end) return { user: decode(text.slice(begin, end)) };
  return {
    user: decode(text.slice(begin, colon)),
    password: decode(text.slice(colon + 1, end)),
    passwordSpan: { start: colon + 1, end },
  };
}

/** `a:1,b,[::1]:2`; `undefined` when it is not a list of hosts; empty when there is nothing. */
function readHosts(text: string, begin: number, end: number): DsnHost[] | undefined {
  const hosts: DsnHost[] = [];
  if (begin === end) return hosts;
  let at = begin;
  for (const part of text.slice(begin, end).split(',')) {
    const match = /^(\[[0-9a-fA-F:.%]+\]|[^:\s]*)(?::(\d*))?$/.exec(part);
    if (!match) return undefined;
    const raw = match[1]!;
    const portStart = at + raw.length + 1;
    const port = match[2] ? Number(match[2]) : DEFAULT_PORT;
    if (raw !== '' && !raw.toLowerCase().startsWith('%2f')) {
      hosts.push({
        host: decode(raw.replace(/^\[|\]$/g, '')),
        port,
        hostSpan: { start: at, end: at + raw.length },
        ...(match[2] === undefined ? {} : { portSpan: { start: portStart, end: portStart + match[2].length } }),
      });
    }
    at += part.length + 1;
  }
  return hosts;
}

function readQuery(text: string, begin: number, end: number): { name: string; value: string; span: Span }[] {
  const found: { name: string; value: string; span: Span }[] = [];
  let at = begin;
  for (const part of text.slice(begin, end).split('&')) {
    const equals = part.indexOf('=');
    if (equals > 0) {
      const start = at + equals + 1;
      found.push({
        name: decode(part.slice(0, equals)),
        value: decode(part.slice(equals + 1)),
        span: { start, end: at + part.length },
      });
    }
    at += part.length + 1;
  }
  return found;
}

/** Hosts of a comma-separated value, ports from another one: one for all, or one for each. */
export function listHosts(value: string, span: Span, ports: string | undefined): DsnHost[] {
  const numbers = (ports ?? '').split(',').map((p) => (/^\d+$/.test(p.trim()) ? Number(p) : DEFAULT_PORT));
  const hosts: DsnHost[] = [];
  let at = span.start;
  for (const [index, host] of value.split(',').entries()) {
    if (host !== '' && !host.startsWith('/') && !host.startsWith('@')) {
      const port = numbers.length === 1 ? numbers[0]! : (numbers[index] ?? DEFAULT_PORT);
      hosts.push({ host, port, hostSpan: { start: at, end: at + host.length } });
    }
    at += host.length + 1;
  }
  return hosts;
}

/** Percent-decoding that leaves what is not valid as it is: the bytes are never written back. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
