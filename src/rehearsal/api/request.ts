/** One request as the handlers see it, and what they answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse as parseYaml } from 'yaml';
import type { Json } from '../contract.ts';
import { badRequest, failure } from './errors.ts';
import type { FaultAction } from './faults.ts';
import { readJsonPatch } from './patch/json-patch.ts';
import { decodeProtobuf } from './protobuf.ts';
import type { Identity } from './rbac.ts';

export interface ApiRequest {
  method: string;
  /** Path without query, decoded by segment where it matters. */
  path: string;
  query: URLSearchParams;
  raw: IncomingMessage;
  body: Buffer;
  user: Identity;
  faults: readonly FaultAction[];
  /** Sent as `Warning` headers with the answer. */
  warnings: string[];
}

/** A whole answer; streams write to the response themselves and return `undefined`. */
export interface Reply {
  code: number;
  body: Json;
  contentType?: string;
}

export type Handler = (request: ApiRequest, response: ServerResponse) => Promise<Reply | undefined> | Reply | undefined;

const MAX_BODY = 3 * 1024 * 1024;

/** Reads the body; throws 413 beyond 3 MiB, the real server's limit. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY) {
      throw failure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY}`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** The object in a request body: JSON, YAML or protobuf by its content type. `kind` words the error. */
export function readObject(request: ApiRequest, kind: string): Json {
  const type = (request.raw.headers['content-type'] ?? 'application/json').split(';')[0]?.trim();
  if (type === 'application/vnd.kubernetes.protobuf') return decodeProtobuf(request.body);
  const text = request.body.toString('utf8');
  if (type === 'application/yaml') return parseYaml(text);
  if (type !== 'application/json' && type !== '*/*') {
    throw failure(
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
  }
  const value = parseJson(text, (reason) =>
    badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${reason} (${excerpt(text)})`,
    ),
  );
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (${excerpt(text)})`,
    );
  }
  return value;
}

/** The patch document of a request, as JSON (YAML for apply). */
export function readPatch(request: ApiRequest, contentType: string): Json {
  const text = request.body.toString('utf8');
  if (contentType === 'application/apply-patch+yaml') {
    try {
      return parseYaml(text);
    } catch (error) {
      throw badRequest(`error decoding YAML: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  const read = contentType === 'application/json-patch+json' ? readJsonPatch : JSON.parse;
  return parseJson(text, (reason) => badRequest(`error decoding patch: ${reason}`), read);
}

function parseJson(text: string, refuse: (reason: string) => Error, read: (text: string) => Json = JSON.parse): Json {
  try {
    return read(text);
  } catch (error) {
    throw refuse(goParseError(text, (error as Error).message));
  }
}

function excerpt(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)} ...` : text;
}

/** What Go's decoder says where V8 says something else. */
function goParseError(text: string, message: string): string {
  if (/end of JSON input|Unterminated/.test(message)) return 'unexpected end of JSON input';
  const at = Number(/position (\d+)/.exec(message)?.[1] ?? 0);
  const sign = text[at];
  if (sign === undefined) return 'unexpected end of JSON input';
  const place = /property name/.test(message)
    ? 'looking for beginning of object key string'
    : /':' after property name/.test(message)
      ? 'after object key'
      : /',' or '}'/.test(message)
        ? 'after object key:value pair'
        : /',' or ']'/.test(message)
          ? 'after array element'
          : 'looking for beginning of value';
  return `invalid character '${sign}' ${place}`;
}
