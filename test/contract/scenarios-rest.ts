/** Scenarios 00, 01, 10, 11, 12 and 16: plain requests and answers. */

import { decodeProtobuf } from '../../src/rehearsal/api/protobuf.ts';
import type { Json, KubeObject } from '../../src/rehearsal/contract.ts';
import { startContractCluster } from './cluster.ts';
import { Book, type Comparison, neutral, neutralText } from './compare.ts';
import { type Exchange, loadScenario } from './recording.ts';
import { type Answer, type Endpoint, send } from './wire.ts';

/** Runs a scenario on a cluster of its own and returns what was compared. */
export type Scenario = () => Promise<Comparison[]>;

/** The recorded body as JSON, protobuf decoded. */
function recordedBody(exchange: Exchange): Json {
  const body = exchange.response?.body;
  if (typeof body?.base64 === 'string') return decodeProtobuf(Buffer.from(body.base64, 'base64'));
  return body;
}

const label = ({ id, request }: Exchange): string => `${id} ${request.method} ${request.url.split('?')[0]}`;

async function replay(
  endpoint: Endpoint,
  book: Book,
  exchange: Exchange,
  view: (body: Json) => Json = neutral,
): Promise<Answer> {
  const answer = await send(endpoint, exchange.request);
  book.compare(label(exchange), 'status', exchange.response?.status, answer.status);
  book.compare(label(exchange), 'body', view(recordedBody(exchange)), view(answer.body));
  return answer;
}

/** 00: every group, version and resource that the rehearsal cluster serves is described as by a real server. */
export const discovery: Scenario = async () => {
  const book = new Book('00-discovery');
  const cluster = await startContractCluster();
  try {
    for (const exchange of loadScenario('00-discovery')) {
      const answer = await send(cluster, exchange.request);
      const real = recordedBody(exchange);
      book.compare(label(exchange), 'status', exchange.response?.status, answer.status);
      if (answer.body.kind === 'APIGroupList') {
        for (const one of real.groups.filter((group: Json) =>
          answer.body.groups.some((mine: Json) => mine.name === group.name),
        )) {
          const mine = answer.body.groups.find((group: Json) => group.name === one.name);
          book.compare(label(exchange), `group ${one.name}`, one.preferredVersion, mine.preferredVersion);
        }
      } else if (answer.body.kind === 'APIResourceList') {
        const { resources: mine, ...head } = answer.body;
        const { resources: theirs, ...realHead } = real;
        book.compare(label(exchange), 'head', realHead, head);
        for (const one of mine) {
          const found = theirs.find((resource: Json) => resource.name === one.name);
          book.compare(label(exchange), one.name, neutral(found), neutral(one));
        }
      } else {
        const { serverAddressByClientCIDRs: _real, ...want } = real;
        const { serverAddressByClientCIDRs: _mine, ...got } = answer.body;
        book.compare(label(exchange), 'body', want, got);
      }
    }
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};

/** 01: create (protobuf), create again, get, get a missing one. Aggregated discovery and OpenAPI are not compared. */
export const secrets: Scenario = async () => {
  const book = new Book('01-secret');
  const cluster = await startContractCluster();
  try {
    for (const exchange of loadScenario('01-secret')) {
      if (!exchange.request.url.includes('/secrets')) continue;
      if (exchange.request.url.includes('fieldSelector')) continue;
      await replay(cluster, book, exchange);
    }
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};

/** A Deployment as a client sees it: what the controller writes beside it is left out, the generation counts from the seed. */
function deploymentView(seeded: number): (body: Json) => Json {
  return (body) => {
    if (body?.kind !== 'Deployment') return neutral(body);
    const { status: _status, ...rest } = neutral(body) as Json;
    const { 'deployment.kubernetes.io/revision': _revision, ...annotations } = rest.metadata.annotations ?? {};
    return { ...rest, metadata: { ...rest.metadata, annotations, generation: body.metadata.generation - seeded } };
  };
}

/** 10 and 11, one after the other on the same Deployment, as they were recorded. */
export const patchesAndErrors: Scenario = async () => {
  const cluster = await startContractCluster();
  const patches = new Book('10-patches');
  const errors = new Book('11-conflicts-and-errors');
  try {
    const exchanges = loadScenario('10-patches');
    const first = (exchanges[0] as Exchange).response?.body as KubeObject;
    const seed = JSON.parse(JSON.stringify(first)) as KubeObject;
    const { uid: _uid, resourceVersion: _rv, ...metadata } = seed.metadata;
    seed.spec.template.spec.containers[0].env[0].value = 'postgresql://app:example@postgres:5432/nova';
    cluster.store.create('deployments.apps', { ...seed, metadata }, { manager: 'kubectl-client-side-apply' });
    const real = deploymentView((first.metadata.generation as number) - 1);
    const mine = deploymentView(1);
    for (const exchange of exchanges) {
      const answer = await send(cluster, exchange.request);
      patches.compare(label(exchange), 'status', exchange.response?.status, answer.status);
      patches.compare(label(exchange), 'body', real(recordedBody(exchange)), mine(answer.body));
    }
    cluster.store.compact();
    for (const exchange of loadScenario('11-conflicts-and-errors')) {
      // The same object has another uid here.
      const uid = cluster.store.peek('deployments.apps', 'rec', 'web')?.metadata.uid ?? '';
      const request = JSON.parse(JSON.stringify(exchange.request).replaceAll(first.metadata.uid as string, uid));
      const answer = await send(cluster, request);
      errors.compare(label(exchange), 'status', exchange.response?.status, answer.status);
      const want = exchange.response?.stream ? exchange.events[0] : recordedBody(exchange);
      errors.compare(
        label(exchange),
        exchange.response?.stream ? 'event' : 'body',
        neutral(want),
        neutral(answer.body),
      );
    }
  } finally {
    await cluster.api.close();
  }
  return [...patches.comparisons, ...errors.comparisons];
};

/** 18: how a `test` has to spell a text to match. */
export const patchTexts: Scenario = async () => {
  const book = new Book('18-json-patch-test-texts');
  const cluster = await startContractCluster();
  try {
    for (const exchange of loadScenario('18-json-patch-test-texts')) await replay(cluster, book, exchange);
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};

/** 12: the uid and revisions of the recording are replaced by those of this Lease. */
export const lease: Scenario = async () => {
  const book = new Book('12-lease');
  const cluster = await startContractCluster();
  try {
    const revisions = new Map<string, string>();
    let uid = '';
    let realUid = '';
    for (const exchange of loadScenario('12-lease')) {
      const text = JSON.stringify(exchange.request).replace(/"resourceVersion":"(\d+)"/g, (whole, rv: string) =>
        revisions.has(rv) ? `"resourceVersion":"${revisions.get(rv)}"` : whole,
      );
      const request = JSON.parse(realUid === '' ? text : text.replaceAll(realUid, uid));
      const answer = await send(cluster, request);
      const real = recordedBody(exchange);
      if (real?.kind === 'Lease') {
        revisions.set(real.metadata.resourceVersion, answer.body.metadata.resourceVersion);
        uid = answer.body.metadata.uid;
        realUid = real.metadata.uid;
      }
      book.compare(label(exchange), 'status', exchange.response?.status, answer.status);
      // The refused patch quotes the whole object in its text, managers included: the sentence after it is compared.
      const view = (body: Json): Json =>
        body?.reason === 'Invalid'
          ? {
              ...neutral(body),
              message: tail(body.message),
              details: { causes: body.details.causes.map((one: Json) => ({ ...one, message: tail(one.message) })) },
            }
          : neutral(body);
      book.compare(label(exchange), 'body', view(real), view(answer.body));
    }
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};

const tail = (message: string): string =>
  neutralText(`${message.slice(0, 15)}…${message.slice(message.indexOf('parsing time'))}`);

/** 16: a user with the rules the recording shows; the rules every user has are the server's own. */
export const forbidden: Scenario = async () => {
  const book = new Book('16-forbidden');
  const exchanges = loadScenario('16-forbidden');
  const rules = (exchanges.at(-1) as Exchange).response?.body.status.resourceRules as Json[];
  const own = rules.filter((rule) => !rule.resources.some((one: string) => one.startsWith('selfsubject')));
  const cluster = await startContractCluster({ users: [{ name: 'system:kube-scheduler', token: 'scheduler' }] });
  try {
    const group = 'rbac.authorization.k8s.io';
    const metadata = { name: 'recorded' };
    cluster.store.create(`clusterroles.${group}`, {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRole',
      metadata,
      rules: own,
    });
    cluster.store.create(`clusterrolebindings.${group}`, {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { kind: 'ClusterRole', name: 'recorded' },
      subjects: [{ kind: 'User', name: 'system:kube-scheduler' }],
    });
    for (const exchange of exchanges) await replay(cluster, book, exchange);
  } finally {
    await cluster.api.close();
  }
  return book.comparisons;
};
