/** Label and field selectors, in their query-string grammar and as `LabelSelector` objects. */
import type { Json, KubeObject } from '../contract.ts';
import { badRequest } from './errors.ts';

export type Matcher = (labels: Readonly<Record<string, string>>) => boolean;

/** Whether `labels` satisfy a `LabelSelector` object (`matchLabels` and `matchExpressions`). An absent one matches nothing. */
export function matchesSelector(selector: Json, labels: Readonly<Record<string, string>> = {}): boolean {
  if (selector === undefined || selector === null) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    if (!evaluate(operator, labels[key], values)) return false;
  }
  return true;
}

function evaluate(operator: string, actual: string | undefined, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual);
    case 'NotIn':
      return actual === undefined || !values.includes(actual);
    case 'Exists':
      return actual !== undefined;
    case 'DoesNotExist':
      return actual === undefined;
    case 'Gt':
      return actual !== undefined && Number(actual) > Number(values[0]);
    case 'Lt':
      return actual !== undefined && Number(actual) < Number(values[0]);
    default:
      return false;
  }
}

/**
 * The selector of a query string: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1`. Throws 400 when it can't be parsed.
 */
export function parseLabelSelector(text: string): Matcher {
  const tests: Matcher[] = [];
  for (const part of splitOutsideParentheses(text)) {
    const requirement = part.trim();
    if (requirement === '') continue;
    tests.push(parseRequirement(requirement, text));
  }
  return (labels) => tests.every((test) => test(labels));
}

function parseRequirement(text: string, whole: string): Matcher {
  let match = /^(\S+?)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (match !== null) {
    const [, key = '', operator, list = ''] = match;
    const values = list.split(',').map((one) => one.trim());
    return (labels) => evaluate(operator === 'in' ? 'In' : 'NotIn', labels[key], values);
  }
  match = /^!\s*([^\s=!<>()]+)$/.exec(text);
  if (match !== null) {
    const key = match[1] as string;
    return (labels) => labels[key] === undefined;
  }
  match = /^([^\s=!<>()]+)\s*(==|=|!=|>|<)\s*([^\s=!<>()]*)$/.exec(text);
  if (match !== null) {
    const [, key = '', sign, value = ''] = match;
    const operator = sign === '!=' ? 'NotIn' : sign === '>' ? 'Gt' : sign === '<' ? 'Lt' : 'In';
    return (labels) => evaluate(operator, labels[key], [value]);
  }
  if (/^[^\s=!<>()]+$/.test(text)) return (labels) => labels[text] !== undefined;
  throw badRequest(`unable to parse requirement: couldn't parse the selector string "${whole}": found '${text}'`);
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const sign = text[index];
    if (sign === '(') depth += 1;
    if (sign === ')') depth -= 1;
    if (sign === ',' && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** Field labels a kind can be selected by, beside `metadata.name` and `metadata.namespace`. */
const FIELDS: Record<string, readonly string[]> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
  Secret: ['type'],
  Namespace: ['status.phase'],
  Node: ['spec.unschedulable'],
  ReplicaSet: ['status.replicas'],
  Job: ['status.successful'],
  Service: ['spec.clusterIP', 'spec.type'],
};

/** The field selector of a query string: `metadata.name=x,status.phase!=Running`. Throws 400 for fields the kind has not. */
export function parseFieldSelector(text: string, kind: string, version: string): (object: KubeObject) => boolean {
  const tests: ((object: KubeObject) => boolean)[] = [];
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const match = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/.exec(part.trim());
    if (match === null) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
    const [, field = '', sign, value] = match;
    if (!['metadata.name', 'metadata.namespace', ...(FIELDS[kind] ?? [])].includes(field)) {
      throw badRequest(
        `Unable to find "${version}, Kind=${kind}" that match label selector "", field selector "${text}": field label not supported: ${field}`,
      );
    }
    const path = field.split('.');
    tests.push((object) => {
      const actual = path.reduce<Json>((at, key) => at?.[key], object) ?? '';
      return (String(typeof actual === 'object' ? (actual.component ?? '') : actual) === value) === (sign !== '!=');
    });
  }
  return (object) => tests.every((test) => test(object));
}
