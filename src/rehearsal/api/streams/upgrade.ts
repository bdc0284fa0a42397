/** Requests that leave HTTP: exec, attach and portforward over WebSocket or SPDY. */
import type { Socket } from 'node:net';
import type { PodRuntime } from '../../contract.ts';
import type { Access } from '../access.ts';
import { badRequest, failure } from '../errors.ts';
import { type Personality, websocketNeedsCreate } from '../personality.ts';
import type { ApiRequest } from '../request.ts';
import { parseResourcePath, targetOf } from '../routes.ts';
import type { RehearsalStore } from '../store.ts';
import { spdyChannels, webSocketChannels } from './channels.ts';
import { runCommand, type StreamOptions } from './exec.ts';
import { containerOf, podOf, requireHost } from './pods.ts';
import { forwardOverSpdy, forwardOverWebSocket } from './port-forward.ts';
import { SpdySession } from './spdy.ts';
import { acceptWebSocket, tunnel } from './websocket.ts';

export interface UpgradeContext {
  store: RehearsalStore;
  runtime: PodRuntime;
  access: Access;
  personality: Personality;
}

const EXEC_WEBSOCKET = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
];
// v5 is for WebSockets alone.
const EXEC_SPDY = EXEC_WEBSOCKET.slice(1);
const FORWARD_TUNNEL = 'SPDY/3.1+portforward.k8s.io';
const FORWARD_WEBSOCKET = ['v4.channel.k8s.io'];

/** Serves one upgraded connection; resolves when it has taken over. Throws an `ApiStatusError` to refuse it. */
export async function serveUpgrade(
  context: UpgradeContext,
  request: ApiRequest,
  socket: Socket,
  head: Buffer,
): Promise<void> {
  const parsed = parseResourcePath(request.path);
  const target = parsed === undefined ? undefined : targetOf(parsed);
  const { subresource, namespace, name } = target ?? {};
  if (
    target?.definition.resource !== 'pods' ||
    namespace === undefined ||
    name === undefined ||
    subresource === undefined
  ) {
    throw failure(404, 'NotFound', 'the server could not find the requested resource', {});
  }
  if (!['exec', 'attach', 'portforward'].includes(subresource)) throw badRequest('Upgrade request required');
  const websocket = /websocket/i.test(String(request.raw.headers.upgrade));
  authorize(context, request, { namespace, name, subresource }, websocket);

  const pod = podOf(context.store, namespace, name);
  if (subresource === 'portforward') {
    requireHost(pod);
    const dial = (port: number) => context.runtime.dial(namespace, name, port);
    if (!websocket) {
      const session = acceptSpdy(request, socket, head, ['portforward.k8s.io']);
      forwardOverSpdy(session, dial);
      return;
    }
    const offered = protocolsOf(request);
    if (offered.includes(FORWARD_TUNNEL)) {
      const { ws } = await acceptWebSocket(request.raw, socket, head, [FORWARD_TUNNEL]);
      forwardOverSpdy(new SpdySession(tunnel(ws)), dial);
      return;
    }
    const ports = request.query
      .getAll('ports')
      .flatMap((one) => one.split(','))
      .map(Number);
    if (ports.length === 0 || ports.some((port) => !(port > 0 && port < 65536))) {
      throw badRequest('query parameter "port" is required');
    }
    const { ws } = await acceptWebSocket(request.raw, socket, head, FORWARD_WEBSOCKET);
    forwardOverWebSocket(ws, ports, dial);
    return;
  }

  const container = containerOf(pod, request.query.get('container'));
  requireHost(pod);
  const options = streamOptions(request);
  const command = request.query.getAll('command');
  if (subresource === 'exec' && command.length === 0)
    throw badRequest('you must specify at least 1 command for the container');
  if (!options.stdin && !options.stdout && !options.stderr) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
  const channels = websocket
    ? webSocketChannels(await acceptWebSocket(request.raw, socket, head, EXEC_WEBSOCKET), options)
    : await spdyChannels(acceptSpdy(request, socket, head, EXEC_SPDY), options);
  await runCommand(
    context.runtime,
    { namespace, pod: name, container, command, attach: subresource === 'attach' },
    options,
    channels,
  );
}

function authorize(
  { access, personality }: UpgradeContext,
  request: ApiRequest,
  about: { namespace: string; name: string; subresource: string },
  websocket: boolean,
): void {
  const verbs =
    request.method === 'POST'
      ? ['create']
      : websocket && websocketNeedsCreate(personality)
        ? ['get', 'create']
        : ['get'];
  for (const verb of verbs) access.authorize(request.user, { verb, group: '', resource: 'pods', ...about });
}

function streamOptions(request: ApiRequest): StreamOptions {
  const flag = (key: string): boolean => ['true', '1'].includes(request.query.get(key) ?? '');
  const tty = flag('tty');
  return { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr') && !tty, tty };
}

function protocolsOf(request: ApiRequest): string[] {
  return String(request.raw.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
}

/** Answers a SPDY upgrade; the client's `X-Stream-Protocol-Version` headers offer what to speak on the streams. */
function acceptSpdy(request: ApiRequest, socket: Socket, head: Buffer, supported: readonly string[]): SpdySession {
  if (!/spdy\/3\.1/i.test(String(request.raw.headers.upgrade))) throw badRequest('Upgrade request required');
  const offered = String(request.raw.headers['x-stream-protocol-version'] ?? '').split(/,\s*/);
  const chosen = supported.find((one) => offered.includes(one));
  if (chosen === undefined) {
    throw failure(
      403,
      'Forbidden',
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${supported.join(' ')}]`,
    );
  }
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${chosen}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return new SpdySession(socket);
}
