/** Reads the recordings of a real Kubernetes: one exchange each, with its answer, events and frames. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '../../src/rehearsal/contract.ts';

export interface RecordedRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: Json;
}

export interface Frame {
  dir: 'client' | 'server';
  opcode: number;
  channel?: number | null;
  data?: string | { base64: string };
  close?: number | null;
}

export interface Exchange {
  id: number;
  request: RecordedRequest;
  response: { status: number; headers: Record<string, string>; body?: Json; stream?: boolean } | undefined;
  events: Json[];
  /** Milliseconds of each event since the scenario's start. */
  times: number[];
  frames: Frame[];
}

/** The folder of the recordings, seen from the root of the repository. */
const FOLDER = join(process.cwd(), 'recordings', 'kubernetes-1.36');

/** The exchanges of a scenario in order of their ids. */
export function loadScenario(name: string): Exchange[] {
  const exchanges = new Map<number, Exchange>();
  for (const line of readFileSync(join(FOLDER, `${name}.jsonl`), 'utf8').split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as Json;
    let exchange = exchanges.get(entry.id);
    if (exchange === undefined) {
      exchange = { id: entry.id, request: entry, response: undefined, events: [], times: [], frames: [] };
      exchanges.set(entry.id, exchange);
    }
    if (entry.type === 'request') exchange.request = entry;
    else if (entry.type === 'response') exchange.response = entry;
    else if (entry.type === 'event') {
      exchange.events.push(entry.event);
      exchange.times.push(entry.t);
    } else if (entry.type === 'frame') exchange.frames.push(entry);
  }
  return [...exchanges.values()].sort((a, b) => a.id - b.id);
}

/** The bytes of a recorded frame, with its channel in front as it went over the wire. */
export function frameBytes(frame: Frame): Buffer {
  const data =
    typeof frame.data === 'string' ? Buffer.from(frame.data) : Buffer.from(frame.data?.base64 ?? '', 'base64');
  return frame.channel === null || frame.channel === undefined
    ? data
    : Buffer.concat([Buffer.from([frame.channel]), data]);
}
