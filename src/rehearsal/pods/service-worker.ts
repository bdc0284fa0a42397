/**
 * Entry of a worker thread: many service pods, or the outgoing connections of the poolers. A build entry of its own
 * (`service-worker.js` beside the bundle), because a worker is started from a file.
 */
import { parentPort } from 'node:worker_threads';
import { openEgress } from './egress.ts';
import { RouteTable } from './routes.ts';
import { ServicePod } from './service-pod.ts';
import type { FromWorker, ToWorker } from './worker-messages.ts';

const port = parentPort;
if (!port) throw new Error('service-worker is the entry of a worker thread');

const routes = new RouteTable();
const pods = new Map<string, ServicePod>();
const ways = new Map<string, (() => void)[]>();
const say = (message: FromWorker) => port.postMessage(message);

port.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'route':
      routes.set(message.route);
      return;
    case 'unroute':
      routes.delete(message.namespace, message.name);
      return;
    case 'start': {
      const { id } = message.spec;
      const pod = new ServicePod(message.spec, routes, {
        log: (line) => say({ type: 'log', id, line }),
        started: () => say({ type: 'started', id }),
        load: (counts) => say({ type: 'load', id, counts }),
        exit: (exitCode) => {
          pods.delete(id);
          say({ type: 'exit', id, exitCode });
        },
      });
      pods.set(id, pod);
      pod.start().catch((error: Error) => {
        say({ type: 'log', id, line: `ERROR ${error.message}` });
        pods.delete(id);
        say({ type: 'exit', id, exitCode: 1 });
      });
      return;
    }
    case 'terminate':
      void pods.get(message.id)?.terminate();
      return;
    case 'kill':
      pods.get(message.id)?.kill();
      return;
    case 'egress':
      openEgress(message.request, routes).then(
        ({ host, port: bound, close }) => {
          ways.set(message.owner, [...(ways.get(message.owner) ?? []), close]);
          say({ type: 'egress', id: message.id, host, port: bound });
        },
        (error: Error) => say({ type: 'egress-failed', id: message.id, message: error.message }),
      );
      return;
    case 'close-egress':
      for (const close of ways.get(message.owner) ?? []) close();
      ways.delete(message.owner);
      return;
    case 'end':
      for (const pod of [...pods.values()]) pod.kill();
      for (const close of [...ways.values()].flat()) close();
      // The thread ends by itself when its last socket has: one that is torn down around them can spin for ever in Node.
      port.close();
      return;
  }
});
