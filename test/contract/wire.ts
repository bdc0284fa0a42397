/** A bare HTTP client for the contract tests: what was recorded is sent as it was, nothing is made nicer. */
import { request } from 'node:https';
import type { Json } from '../../src/rehearsal/contract.ts';
import type { RecordedRequest } from './recording.ts';

export interface Endpoint {
  url: string;
  ca: string;
  token: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Json;
  text: string;
}

/** Sends a recorded request, its path changed by `rename` when names differ, and reads the whole answer. */
export function send(endpoint: Endpoint, recorded: RecordedRequest): Promise<Answer> {
  const { body } = recorded;
  const bytes =
    body === undefined
      ? undefined
      : typeof body === 'string'
        ? Buffer.from(body)
        : typeof body?.base64 === 'string' && Object.keys(body).length === 1
          ? Buffer.from(body.base64, 'base64')
          : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${endpoint.url}${recorded.url}`,
      {
        method: recorded.method,
        ca: endpoint.ca,
        headers: { ...recorded.headers, authorization: `Bearer ${endpoint.token}`, 'user-agent': 'curl/8.0' },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed(text), text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(bytes);
  });
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
