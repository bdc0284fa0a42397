/** Scenarios 13, 14 and 15: tables, logs, exec and port-forward. */
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Json, KubeObject } from '../../src/rehearsal/contract.ts';
import { type ContractCluster, machineRuntime, startContractCluster } from './cluster.ts';
import { Book, neutral, neutralText } from './compare.ts';
import { type Exchange, type Frame, frameBytes, loadScenario } from './recording.ts';
import type { Scenario } from './scenarios-rest.ts';
import { tunnelled } from './tunnel.ts';
import { send } from './wire.ts';

const label = ({ id, request }: Exchange): string => `${id} ${request.method} ${request.url.split('?')[0]}`;

function seed(cluster: ContractCluster, resource: string, object: KubeObject): void {
  const { uid: _uid, resourceVersion: _rv, ownerReferences: _owners, ...metadata } = object.metadata;
  const created = cluster.store.create(resource, { ...object, metadata }, { manager: 'seed' });
  if (object.status !== undefined) cluster.store.updateStatus(resource, { ...created, status: object.status });
}

/** Column definitions without their descriptions, which this server doesn't send. */
const columns = (table: Json): Json => table.columnDefinitions.map(({ description: _text, ...rest }: Json) => rest);

/** 13: the columns of every table, and the cells of the Deployment whose object is in the recording. */
export const tables: Scenario = async () => {
  const book = new Book('13-tables-and-describe');
  const exchanges = loadScenario('13-tables-and-describe');
  const deployment = exchanges.find((one) => one.response?.body?.kind === 'Deployment')?.response?.body as KubeObject;
  const pod = loadScenario('14-logs-exec-portforward').find((one) => one.response?.body?.kind === 'Pod')?.response
    ?.body as KubeObject;
  const cluster = await startContractCluster();
  try {
    seed(cluster, 'deployments.apps', deployment);
    seed(cluster, 'pods', pod);
    for (const exchange of exchanges) {
      const real = exchange.response?.body;
      if (real?.kind !== 'Table') continue;
      const answer = await send(cluster, exchange.request);
      book.compare(label(exchange), 'status', exchange.response?.status, answer.status);
      book.compare(label(exchange), 'columns', columns(real), columns(answer.body));
      for (const row of answer.body.rows) {
        const theirs = real.rows.find((one: Json) => one.cells[0] === row.cells[0]);
        if (theirs === undefined) continue;
        const age = real.columnDefinitions.findIndex((one: Json) => one.name === 'Age');
        const without = (cells: Json[]): Json[] => cells.filter((_cell, index) => index !== age);
        book.compare(label(exchange), `cells of ${row.cells[0]}`, without(theirs.cells), without(row.cells));
        const { ownerReferences: _owners, ...metadata } = neutral(theirs.object.metadata);
        book.compare(
          label(exchange),
          `object of ${row.cells[0]}`,
          metadata.labels,
          neutral(row.object.metadata).labels,
        );
        book.compare(label(exchange), `kind of ${row.cells[0]}`, theirs.object.kind, row.object.kind);
      }
    }
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};

export interface Session {
  status: number;
  protocol: string;
  frames: Frame[];
  body?: Json;
}

/** Opens a recorded WebSocket and sends the client's frames once the server has spoken. */
function converse(cluster: ContractCluster, exchange: Exchange, until: (frames: Frame[]) => boolean): Promise<Session> {
  return new Promise((resolve, reject) => {
    const protocols = (exchange.request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
    const ws = new WebSocket(cluster.url.replace('https', 'wss') + exchange.request.url, protocols, {
      ca: cluster.ca,
      headers: { authorization: `Bearer ${cluster.token}` },
    });
    const frames: Frame[] = [];
    let spoken = false;
    const speak = (): void => {
      if (spoken) return;
      spoken = true;
      for (const frame of exchange.frames) {
        if (frame.dir === 'client' && frame.opcode === 2) ws.send(frameBytes(frame));
      }
    };
    ws.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          protocol: '',
          frames,
          body: JSON.parse(Buffer.concat(chunks).toString()),
        }),
      );
    });
    ws.on('message', (data: Buffer) => {
      frames.push({
        dir: 'server',
        opcode: 2,
        channel: data[0] ?? null,
        data: { base64: data.subarray(1).toString('base64') },
      });
      speak();
      if (until(frames)) ws.close();
    });
    ws.on('close', (code) => {
      frames.push({ dir: 'server', opcode: 8, close: code });
      resolve({ status: 101, protocol: ws.protocol, frames });
    });
    ws.on('error', reject);
  });
}

/** Output by channel, the Status, the close code: how output is cut into frames is chance. */
function summary(frames: Frame[]): Json {
  const channels: Record<string, string> = {};
  for (const frame of frames) {
    if (frame.dir !== 'server' || frame.opcode !== 2) continue;
    const bytes = frameBytes(frame);
    const channel = String(bytes[0]);
    channels[channel] = (channels[channel] ?? '') + bytes.subarray(1).toString('utf8');
  }
  const status = channels['3'] === undefined ? undefined : neutralStatus(JSON.parse(channels['3']));
  const close = frames.find((frame) => frame.dir === 'server' && frame.opcode === 8)?.close;
  return { out: channels['1'], err: channels['2'], status, close };
}

function neutralStatus(status: Json): Json {
  return JSON.parse(neutralText(JSON.stringify(status)).replaceAll('"<container>"', '<container>'));
}

/** Frames of a SPDY session by type and stream; what they carry is PostgreSQL's talk. */
function spdyFrames(bytes: Buffer): string[] {
  const out: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const head = bytes.readUInt32BE(at);
    const length = bytes.readUIntBE(at + 5, 3);
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (head >= 0x80000000)
      out.push(`${(head & 0xffff) === 2 ? 'SYN_REPLY' : `control ${head & 0xffff}`} ${body.readUInt32BE(0)}`);
    else out.push(`DATA ${head}`);
    at += 8 + length;
  }
  return out;
}

const serverBytes = (frames: Frame[]): Buffer =>
  Buffer.concat(frames.filter((one) => one.dir === 'server' && one.opcode === 2).map(frameBytes));

/** A server that answers PostgreSQL's SSLRequest with `N` and says no more. */
function pooler(): Promise<Duplex> {
  const stream: Duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      if (chunk.length === 8) stream.push(Buffer.from('N'));
      done();
    },
  });
  return Promise.resolve(stream);
}

/** 14: log, followed log's first line, exec in all its outcomes, kubectl's port-forward up to the first answer. */
export const streams: Scenario = async () => {
  const book = new Book('14-logs-exec-portforward');
  const exchanges = loadScenario('14-logs-exec-portforward');
  const pod = exchanges.find((one) => one.response?.body?.kind === 'Pod')?.response?.body as KubeObject;
  const cluster = await startContractCluster({ runtime: machineRuntime(pooler) });
  try {
    seed(cluster, 'pods', pod);
    seed(cluster, 'pods', {
      ...pod,
      metadata: { ...pod.metadata, namespace: 'nova', name: 'pgbouncer-867479df78-b6mh2' },
    });
    for (const exchange of exchanges) {
      const { url, headers, method } = exchange.request;
      if (/\/log\?/.test(url) && !/follow/.test(url)) {
        const answer = await send(cluster, exchange.request);
        book.compare(label(exchange), 'status', exchange.response?.status, answer.status);
        book.compare(label(exchange), 'text', exchange.response?.body, answer.text);
        book.compare(
          label(exchange),
          'type',
          exchange.response?.headers['content-type'],
          answer.headers['content-type'],
        );
      } else if (headers.upgrade === 'SPDY/3.1' && method === 'POST') {
        const answer = await send(cluster, { ...exchange.request, headers: { ...headers, connection: 'Upgrade' } });
        book.compare(label(exchange), 'status', exchange.response?.status, answer.status);
        book.compare(label(exchange), 'body', exchange.response?.body, answer.body);
      } else if (/\/exec\?/.test(url)) {
        const session = await converse(cluster, exchange, () => false);
        book.compare(label(exchange), 'status', exchange.response?.status, session.status);
        if (session.body !== undefined) book.compare(label(exchange), 'body', exchange.response?.body, session.body);
        else {
          book.compare(
            label(exchange),
            'protocol',
            exchange.response?.headers['sec-websocket-protocol'],
            session.protocol,
          );
          book.compare(label(exchange), 'frames', summary(exchange.frames), summary(session.frames));
        }
      } else if (/\/portforward/.test(url) && exchange.frames.length > 0) {
        const want = spdyFrames(serverBytes(exchange.frames)).slice(0, 3);
        const session = await tunnelled(
          cluster,
          exchange,
          (frames) => spdyFrames(serverBytes(frames)).length >= want.length,
        );
        book.compare(
          label(exchange),
          'protocol',
          exchange.response?.headers['sec-websocket-protocol'],
          session.protocol,
        );
        book.compare(label(exchange), 'frames', want, spdyFrames(serverBytes(session.frames)).slice(0, 3));
      }
    }
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};

/** 15: client-node's exec and port-forward; of the pooler's talk only the framing is compared. */
export const clientNode: Scenario = async () => {
  const book = new Book('15-client-node-exec-portforward');
  const exchanges = loadScenario('15-client-node-exec-portforward');
  const list = (exchanges[0] as Exchange).response?.body;
  const cluster = await startContractCluster({ runtime: machineRuntime(pooler) });
  try {
    for (const item of list.items) seed(cluster, 'pods', { kind: 'Pod', apiVersion: 'v1', ...item });
    const listed = await send(cluster, (exchanges[0] as Exchange).request);
    book.compare('1 GET pods', 'status', 200, listed.status);
    const names = (body: Json): string[] => body.items.map((item: Json) => item.metadata.name).sort();
    book.compare('1 GET pods', 'names', names(list), names(listed.body));
    const fields = (body: Json): Json => body.items.map((item: Json) => neutral(item.spec));
    book.compare('1 GET pods', 'specs', fields(list), fields(listed.body));
    for (const exchange of exchanges.slice(1)) {
      const forward = /\/portforward/.test(exchange.request.url);
      const session = await converse(cluster, exchange, (frames) => forward && frames.length >= 2);
      book.compare(label(exchange), 'protocol', exchange.response?.headers['sec-websocket-protocol'], session.protocol);
      const first = (frames: Frame[]): Json =>
        frames
          .filter((one) => one.dir === 'server' && one.opcode === 2)
          .slice(0, 2)
          .map((one) => frameBytes(one).toString('hex'));
      if (forward) book.compare(label(exchange), 'frames', first(exchange.frames), first(session.frames));
      else book.compare(label(exchange), 'frames', summary(exchange.frames), summary(session.frames));
    }
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};
