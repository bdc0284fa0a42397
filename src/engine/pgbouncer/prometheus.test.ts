import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Kube, KubeObject } from '../kube/types.ts';
import { ok } from '../result.ts';
import { parsePrometheus, promQueries, readPrometheus } from './prometheus.ts';

const vector = (value: string) =>
  JSON.stringify({
    status: 'success',
    data: { resultType: 'vector', result: [{ metric: {}, value: [1_700_000_000, value] }] },
  });
const empty = JSON.stringify({ status: 'success', data: { resultType: 'vector', result: [] } });

let server: Server | undefined;
afterEach(() => void server?.close());

/** A server that speaks Prometheus' query API, behind a port-forward of ours. */
async function prometheus(answers: Readonly<Record<string, string>>): Promise<Kube> {
  const asked = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams.get('query') ?? '';
    response.end(answers[query] ?? empty);
  });
  server = asked;
  await new Promise<void>((resolve) => asked.listen(0, '127.0.0.1', resolve));
  const { port } = asked.address() as AddressInfo;
  const service: KubeObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'prometheus' },
    spec: { selector: { app: 'prometheus' }, ports: [{ port: 9090, targetPort: 'web' }] },
  };
  const pod: KubeObject = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'prometheus-0' },
    spec: { containers: [{ ports: [{ name: 'web', containerPort: 9091 }] }] },
    status: { phase: 'Running' },
  };
  return {
    get: async () => ok(service),
    list: async () => ok({ items: [pod], resourceVersion: '1' }),
    portForward: async (_namespace: string, name: string, number: number) => {
      expect([name, number]).toEqual(['prometheus-0', 9091]);
      return ok(connect(port, '127.0.0.1'));
    },
  } as unknown as Kube;
}

const place = { namespace: 'monitoring', service: 'prometheus', port: 9090 };

test('the exporter’s real names are asked, and the guide’s are not', () => {
  const all = Object.values(promQueries(['nova'])).join(' ');
  expect(all).toContain('pgbouncer_pools_client_waiting_connections{database="nova"}');
  expect(promQueries(['nova', 'a.b']).clientsWaiting).toContain('{database=~"nova|a\\\\.b"}');
  expect(all).not.toMatch(/pgbouncer_pools_(clients|servers)_|pgbouncer_query_time/);
});

test('a reading is taken over the query API', async () => {
  const queries = promQueries(['nova']);
  const kube = await prometheus({
    [queries.up]: vector('2'),
    [queries.clientsWaiting]: vector('0'),
    [queries.serversActive]: vector('7'),
    [queries.maxWaitMs]: vector('0'),
    [queries.queryTimeMs]: vector('NaN'),
  });
  expect(await readPrometheus(kube, place, ['nova'])).toEqual(
    ok({ up: 2, clientsWaiting: 0, serversActive: 7, maxWaitMs: 0 }),
  );
});

test('a Prometheus without the exporter’s series is no answer, and no zero', async () => {
  const answer = await readPrometheus(await prometheus({}), place, ['nova']);
  expect(answer.ok ? '' : answer.error.message).toMatch(/no series of the exporter/);
});

test('an error and a login page are told', () => {
  expect(parsePrometheus('{"status":"error","error":"parse error"}')).toMatchObject({
    ok: false,
    error: { message: 'Prometheus: parse error' },
  });
  expect(parsePrometheus('<html>sign in</html>').ok).toBe(false);
});

const exporters = () => {
  const queries = promQueries(['nova']);
  return {
    [queries.up]: vector('2'),
    [queries.clientsWaiting]: vector('0'),
    [queries.serversActive]: vector('7'),
    [queries.maxWaitMs]: vector('0'),
    [queries.queryTimeMs]: vector('3.5'),
  };
};

test.each([
  ['traffic', vector('0.025'), { errorRatio: 0.025 }],
  ['no traffic (0/0)', vector('NaN'), {}],
  ['no series', empty, { errorProblem: 'the query has no series' }],
  ['a refusal', '{"status":"error","error":"parse error"}', { errorProblem: 'Prometheus: parse error' }],
])('the plan’s query for failed requests: %s', async (_, answer, told) => {
  const errorRate = 'sum(rate(failed[1m])) / sum(rate(all[1m]))';
  const kube = await prometheus({ ...exporters(), [errorRate]: answer });
  expect(await readPrometheus(kube, { ...place, errorRate }, ['nova'])).toEqual(
    ok({ up: 2, clientsWaiting: 0, serversActive: 7, maxWaitMs: 0, queryTimeMs: 3.5, ...told }),
  );
});
