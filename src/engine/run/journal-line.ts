/**
 * One line of `events.jsonl`: canonical JSON whose keys come in alphabetical order, so that a line has exactly one
 * spelling and a single changed bit anywhere in the file shows.
 */
import { canonicalJson, sha256 } from '../plan/canonical.ts';
import { scrub } from '../secret.ts';
import type { JournalLine, RunEvent } from './events.ts';

const JOURNAL_VERSION = 1;
export const NO_HASH = '0'.repeat(64);

/** The line and its text (without line feed) for an event that comes after `prev`. */
export function makeLine(event: RunEvent, seq: number, at: string, prev: string): { line: JournalLine; text: string } {
  let eventJson = canonicalJson(event);
  // Belt and braces: nothing should bring a secret here. Scrubbing JSON text could break its quoting, so that the
  // text only tells whether there is something to mask.
  if (scrub(eventJson) !== eventJson) {
    event = scrubDeep(event) as RunEvent;
    eventJson = canonicalJson(event);
  }
  const hash = sha256(bodyText(eventJson, { at, prev, seq }));
  return {
    line: { v: JOURNAL_VERSION, seq, at, event, prev, hash },
    text: lineText(eventJson, { at, prev, seq, hash }),
  };
}

type Frame = Pick<JournalLine, 'at' | 'prev' | 'seq'>;

const bodyText = (eventJson: string, { at, prev, seq }: Frame) =>
  `{"at":${JSON.stringify(at)},"event":${eventJson},"prev":"${prev}","seq":${seq},"v":${JOURNAL_VERSION}}`;

const lineText = (eventJson: string, { at, prev, seq, hash }: Frame & { hash: string }) =>
  `{"at":${JSON.stringify(at)},"event":${eventJson},"hash":"${hash}","prev":"${prev}","seq":${seq},"v":${JOURNAL_VERSION}}`;

/** Masks every string of a JSON value; keys too. */
export function scrubDeep(value: unknown): unknown {
  if (typeof value === 'string') return scrub(value);
  if (typeof value !== 'object' || value === null) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return scrubDeep(value.toJSON());
  if (Array.isArray(value)) return value.map(scrubDeep);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [scrub(key), scrubDeep(item)]));
}

export type LineVerdict =
  | { readonly kind: 'ok'; readonly line: JournalLine }
  /** Written by a newer version of the tool. */
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'bad'; readonly why: string };

/** Reads one line on its own: spelling, version, shape, own hash. That it follows the line before is the reader's matter. */
export function readLine(text: string): LineVerdict {
  let value: JournalLine;
  try {
    value = JSON.parse(text) as JournalLine;
  } catch {
    return { kind: 'bad', why: 'is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { kind: 'bad', why: 'is not an event' };
  const { v, seq, at, event, prev, hash } = value as { [K in keyof JournalLine]: unknown };
  if (typeof v !== 'number' || !Number.isSafeInteger(v) || v < 1) return { kind: 'bad', why: 'has no version' };
  const eventJson = canonicalJson(event ?? null);
  const frame = { at: String(at), prev: String(prev), seq: Number(seq) };
  const ownHash = sha256(bodyText(eventJson, frame));
  if (v !== JOURNAL_VERSION) {
    // A flipped bit in the version number is damage; a line of a newer version has a hash of its own.
    return ownHash === hash ? { kind: 'bad', why: 'does not match its hash' } : { kind: 'newer', version: v };
  }
  if (typeof at !== 'string' || Number.isNaN(Date.parse(at))) return { kind: 'bad', why: 'has no time' };
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) return { kind: 'bad', why: 'has no number' };
  if (ownHash !== hash || lineText(eventJson, { ...frame, hash: ownHash }) !== text) {
    return { kind: 'bad', why: 'does not match its hash' };
  }
  const missing = missingField(event);
  if (missing !== undefined) return { kind: 'bad', why: `has no ${missing}` };
  return { kind: 'ok', line: value };
}

type FieldType = 'string' | 'array' | 'object';

/** What `fold` takes for granted. A line with a right hash and a wrong shape is not ours. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, FieldType>>>> = {
  'run.started': { runId: 'string', planHash: 'string', steps: 'array', services: 'array', cluster: 'object' },
  'run.resumed': { operator: 'string', rows: 'array' },
  'step.started': { id: 'string' },
  'step.previewed': { id: 'string', preview: 'object' },
  'step.evidence': { id: 'string', evidence: 'object' },
  'step.finished': { id: 'string', state: 'string' },
  'service.state': { service: 'string', state: 'string' },
  'call.intent': { callId: 'string', step: 'string', target: 'object' },
  'call.outcome': { callId: 'string', result: 'string' },
  decided: { stepId: 'string', gates: 'array' },
  'rollback.started': { scope: 'object', services: 'array' },
  'pools.sampled': { sample: 'object' },
  checklist: { items: 'array' },
  fact: { key: 'string' },
};

function missingField(event: unknown): string | undefined {
  if (typeof event !== 'object' || event === null) return 'event';
  const fields = event as Record<string, unknown>;
  if (typeof fields.type !== 'string') return 'type';
  const shape = Object.hasOwn(SHAPES, fields.type) ? SHAPES[fields.type]! : {};
  return Object.entries(shape).find(([name, type]) => {
    const value = fields[name];
    if (type === 'array') return !Array.isArray(value);
    return type === 'object' ? typeof value !== 'object' || value === null : typeof value !== type;
  })?.[0];
}
