/**
 * PostgreSQL addresses in every form they are written in. A DSN is read with the places of its host and port, so that a
 * rewrite changes those bytes and nothing else: no re-encoding, no reordering, no lost parameter.
 */
import { MASK, Secret, scrub } from '../secret.ts';
import { type Splice, spliced } from '../spliced.ts';
import { parsePairs } from './dsn-pairs.ts';
import { parseUrl } from './dsn-url.ts';
import type { DsnForm, Endpoint } from './workload-types.ts';

export const DEFAULT_PORT = 5432;

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface DsnHost extends Endpoint {
  readonly hostSpan: Span;
  /** Of its own port, when it has one beside it (`host:port`). */
  readonly portSpan?: Span;
}

/**
 * How ports are written: `inline` = beside each host; `list` = one value (a number, or one for each host) elsewhere,
 * or nowhere, then `insert` says where and how a missing one is added.
 */
export type PortLayout =
  | { readonly kind: 'inline' }
  | { readonly kind: 'list'; readonly span?: Span; readonly insertAt: number; readonly insertBefore: string };

export interface Dsn {
  readonly form: Extract<DsnForm, 'url' | 'jdbc' | 'libpq' | 'dotnet'>;
  readonly text: string;
  readonly hosts: readonly DsnHost[];
  readonly ports: PortLayout;
  readonly user?: string;
  readonly password?: Secret;
  readonly passwordSpans: readonly Span[];
  readonly database?: string;
  /** Everything else (`sslmode`, `pgbouncer`, `prepareThreshold` …), names as written. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Why a rewrite is not possible although the address is known (`hostaddr`). */
  readonly fixed?: string;
}

/** Reads a whole value as a DSN; `undefined` when it is none, or names no host (a socket, a service file). */
export function parseDsn(text: string): Dsn | undefined {
  return parseUrl(text) ?? parsePairs(text);
}

/**
 * The same text with host and port of every matching address replaced; `undefined` when none matches or it cannot be
 * done. A port that was not written is added only when the new one is not the default.
 */
export function rewriteDsn(dsn: Dsn, isTarget: (endpoint: Endpoint) => boolean, to: Endpoint): string | undefined {
  if (dsn.fixed !== undefined) return undefined;
  const matches = dsn.hosts.map((h) => isTarget(h));
  if (!matches.includes(true)) return undefined;
  const edits: Splice[] = [];
  const host = to.host.includes(':') && dsn.ports.kind === 'inline' ? `[${to.host}]` : to.host;
  for (const [index, at] of dsn.hosts.entries()) {
    if (!matches[index]) continue;
    edits.push({ ...at.hostSpan, text: host });
    if (dsn.ports.kind !== 'inline') continue;
    if (at.portSpan) edits.push({ ...at.portSpan, text: String(to.port) });
    else if (to.port !== at.port || to.port !== DEFAULT_PORT) {
      edits.push({ start: at.hostSpan.end, end: at.hostSpan.end, text: `:${to.port}` });
    }
  }
  if (dsn.ports.kind === 'list') {
    const ports = dsn.hosts.map((h, index) => (matches[index] ? to.port : h.port));
    const text = ports.every((p) => p === ports[0]) ? String(ports[0]) : ports.join(',');
    const { span, insertAt, insertBefore } = dsn.ports;
    if (span) {
      // A list as long as the hosts keeps its length, a single shared number stays one where it can.
      const wasList = dsn.text.slice(span.start, span.end).includes(',');
      edits.push({ ...span, text: wasList ? ports.join(',') : text });
    } else if (text !== String(DEFAULT_PORT)) {
      edits.push({ start: insertAt, end: insertAt, text: `${insertBefore}${text}` });
    }
  }
  return spliced(dsn.text, edits);
}

/** The DSN with its passwords as dots. */
export const maskDsn = (dsn: Dsn): string => scrub(dottedDsn(dsn));

/** The same before the scrubber, for `sanitiseLine`, which scrubs. */
export const dottedDsn = (dsn: Dsn): string =>
  spliced(
    dsn.text,
    dsn.passwordSpans.map((span) => ({ ...span, text: MASK })),
  );

const passwords = new Map<string, Secret>();

/** A password as a Secret, one for each value: a fleet shares few, and the scrubber learns each of them once. */
export function secretOf(value: string | undefined): Secret | undefined {
  if (value === undefined || value === '') return undefined;
  const known = passwords.get(value) ?? new Secret(value);
  passwords.set(value, known);
  return known;
}
