/**
 * May these pods talk to those? What the NetworkPolicies of a namespace say, by the rules of networking.k8s.io/v1: a pod that
 * no policy selects for a direction is open in it; for one that is selected, any rule of any of its policies is enough.
 * Whether the cluster's network enforces them at all can't be seen from outside.
 */
import type { Json, KubeObject } from './types.ts';

export interface PodSet {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A port of pods, as a policy names it: by number, or by the name that the pods give it. */
export interface PodPort {
  readonly port: number;
  readonly names?: readonly string[];
}

export interface Passage {
  /** `unknown`: only rules that go by address, or by labels of a namespace that were not read, might let it through. */
  readonly allowed: 'yes' | 'no' | 'unknown';
  /** Names of the policies that decide; none when it is open. */
  readonly policies: readonly string[];
}

/** `isolated` are the pods whose policies are asked: the sender's for Egress, the receiver's for Ingress. */
export function passage(
  policies: readonly KubeObject[],
  direction: 'Egress' | 'Ingress',
  isolated: PodSet,
  other: PodSet,
  port: PodPort,
): Passage {
  const deciding = policies.filter(
    (policy) =>
      policy.metadata.namespace === isolated.namespace &&
      typesOf(policy).includes(direction) &&
      selects(policy.spec?.podSelector ?? {}, isolated.labels),
  );
  if (deciding.length === 0) return { allowed: 'yes', policies: [] };
  const [rules, peers] = direction === 'Egress' ? ['egress', 'to'] : ['ingress', 'from'];
  const answers = deciding.flatMap((policy) =>
    ((policy.spec?.[rules] ?? []) as Json[])
      .filter((rule) => coversPort(rule.ports, port))
      .map((rule) => coversPeer(rule[peers], isolated.namespace, other)),
  );
  return {
    allowed: answers.includes('yes') ? 'yes' : answers.includes('unknown') ? 'unknown' : 'no',
    policies: deciding.map((policy) => policy.metadata.name),
  };
}

/** Without `policyTypes` it is about Ingress, and about Egress if it has rules for it. */
function typesOf({ spec }: KubeObject): readonly string[] {
  return spec?.policyTypes ?? ['Ingress', ...(spec?.egress ? ['Egress'] : [])];
}

function coversPort(ports: Json[] | undefined, wanted: PodPort): boolean {
  if (ports === undefined || ports === null || ports.length === 0) return true;
  return ports.some(({ protocol = 'TCP', port, endPort }) => {
    if (protocol !== 'TCP') return false;
    if (port === undefined || port === null) return true;
    if (typeof port === 'string') return (wanted.names ?? []).includes(port);
    return endPort === undefined ? port === wanted.port : port <= wanted.port && wanted.port <= endPort;
  });
}

function coversPeer(peers: Json[] | undefined, home: string, other: PodSet): Passage['allowed'] {
  if (peers === undefined || peers === null || peers.length === 0) return 'yes';
  const answers = peers.map(({ podSelector, namespaceSelector, ipBlock }): Passage['allowed'] => {
    if (ipBlock) return isEverything(ipBlock) ? 'yes' : 'unknown';
    if (podSelector && !selects(podSelector, other.labels)) return 'no';
    if (!namespaceSelector) return other.namespace === home ? 'yes' : 'no';
    // Every namespace carries its own name; what other labels it has, or has not, is not read.
    const { byName, byLabels } = parted(namespaceSelector);
    if (!selects(byName, { [NAME]: other.namespace })) return 'no';
    return byLabels ? 'unknown' : 'yes';
  });
  return answers.includes('yes') ? 'yes' : answers.includes('unknown') ? 'unknown' : 'no';
}

const isEverything = ({ cidr, except }: Json): boolean =>
  (cidr === '0.0.0.0/0' || cidr === '::/0') && (except ?? []).length === 0;

const NAME = 'kubernetes.io/metadata.name';

/** What a selector of namespaces asks of their name, and whether it asks for anything else. */
function parted({ matchLabels, matchExpressions }: Json): { readonly byName: Json; readonly byLabels: boolean } {
  const labels = Object.entries(matchLabels ?? {});
  const expressions: Json[] = matchExpressions ?? [];
  const isName = (key: string) => key === NAME;
  return {
    byName: {
      matchLabels: Object.fromEntries(labels.filter(([key]) => isName(key))),
      matchExpressions: expressions.filter(({ key }) => isName(key)),
    },
    byLabels: !labels.every(([key]) => isName(key)) || !expressions.every(({ key }) => isName(key)),
  };
}

/** A LabelSelector against labels; the empty one selects everything. */
export function selects(selector: Json, labels: Readonly<Record<string, string>>): boolean {
  const wanted = Object.entries((selector?.matchLabels ?? {}) as Record<string, string>);
  if (!wanted.every(([key, value]) => labels[key] === value)) return false;
  return ((selector?.matchExpressions ?? []) as Json[]).every(({ key, operator, values = [] }) => {
    switch (operator) {
      case 'In':
        return labels[key] !== undefined && values.includes(labels[key]);
      case 'NotIn':
        return labels[key] === undefined || !values.includes(labels[key]);
      case 'Exists':
        return labels[key] !== undefined;
      default:
        return labels[key] === undefined;
    }
  });
}
