/**
 * Reads the protobuf bodies that kubectl 1.32 and later send for typed creates. Only decoding: answers are JSON, which every
 * client accepts. Field numbers from `k8s.io/api/<group>/generated.proto`.
 */
import type { Json } from '../contract.ts';
import { failure } from './errors.ts';

const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

/** How a field is read; the tuple is name and type. */
type Reader = (bytes: Buffer) => Json;
type Message = Record<number, readonly [string, Reader | 'string' | 'bytes' | 'int' | 'bool' | 'strings', 'many'?]>;

function* fields(bytes: Buffer): Generator<{ number: number; value: Buffer | bigint }> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; at < bytes.length; shift += 7n) {
      const byte = bytes[at] as number;
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('truncated varint');
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) yield { number: tag >> 3, value: varint() };
    else if (wire === 2) {
      const length = Number(varint());
      if (at + length > bytes.length) throw new RangeError('truncated field');
      yield { number: tag >> 3, value: bytes.subarray(at, at + length) };
      at += length;
    } else if (wire === 1) at += 8;
    else if (wire === 5) at += 4;
    else throw new RangeError(`wire type ${wire}`);
  }
}

function message(layout: Message): Reader {
  return (bytes) => {
    const out: Json = {};
    for (const { number, value } of fields(bytes)) {
      const field = layout[number];
      if (field === undefined) continue;
      const [name, type, many] = field;
      if (type === 'strings') {
        out[name] ??= [];
        out[name].push(value.toString());
        continue;
      }
      const read =
        typeof value === 'bigint'
          ? type === 'bool'
            ? value !== 0n
            : Number(BigInt.asIntN(64, value))
          : readBytes(type, value);
      if (many === 'many') {
        out[name] ??= [];
        out[name].push(read);
      } else if (typeof type === 'function' && MAPS.has(type)) out[name] = { ...out[name], ...read };
      else if (read !== '' || name === 'name') out[name] = read;
    }
    return out;
  };
}

function readBytes(type: Message[number][1], value: Buffer): Json {
  if (type === 'string') return value.toString('utf8');
  if (type === 'bytes') return value.toString('base64');
  return typeof type === 'function' ? type(value) : undefined;
}

const MAPS = new Set<Reader>();
function map(value: 'string' | 'bytes'): Reader {
  const entry = message({ 1: ['key', 'string'], 2: ['value', value] });
  const reader: Reader = (bytes) => {
    const { key, value: item } = entry(bytes);
    return { [key ?? '']: item ?? '' };
  };
  MAPS.add(reader);
  return reader;
}

const metadata = message({
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  11: ['labels', map('string')],
  12: ['annotations', map('string')],
  14: ['finalizers', 'strings'],
});
const attributes = message({
  1: ['namespace', 'string'],
  2: ['verb', 'string'],
  3: ['group', 'string'],
  4: ['version', 'string'],
  5: ['resource', 'string'],
  6: ['subresource', 'string'],
  7: ['name', 'string'],
});
const nonResource = message({ 1: ['path', 'string'], 2: ['verb', 'string'] });
const subjectReview = message({
  1: ['metadata', metadata],
  2: [
    'spec',
    message({
      1: ['resourceAttributes', attributes],
      2: ['nonResourceAttributes', nonResource],
      3: ['user', 'string'],
      4: ['groups', 'strings'],
      6: ['uid', 'string'],
    }),
  ],
});
const servicePort = message({
  1: ['name', 'string'],
  2: ['protocol', 'string'],
  3: ['port', 'int'],
  4: ['targetPort', intOrString],
  5: ['nodePort', 'int'],
});

const selector = message({ 1: ['matchLabels', map('string')] });
const quantities = (): Reader => {
  const entry = message({ 1: ['key', 'string'], 2: ['value', message({ 1: ['text', 'string'] })] });
  const reader: Reader = (bytes) => {
    const { key, value } = entry(bytes);
    return { [key]: value?.text ?? '0' };
  };
  MAPS.add(reader);
  return reader;
};
const container = message({
  1: ['name', 'string'],
  2: ['image', 'string'],
  3: ['command', 'strings'],
  4: ['args', 'strings'],
  6: ['ports', message({ 1: ['name', 'string'], 3: ['containerPort', 'int'], 4: ['protocol', 'string'] }), 'many'],
  7: ['env', message({ 1: ['name', 'string'], 2: ['value', 'string'] }), 'many'],
  8: ['resources', message({ 1: ['limits', quantities()], 2: ['requests', quantities()] })],
  14: ['imagePullPolicy', 'string'],
});
const podSpec = message({
  2: ['containers', container, 'many'],
  3: ['restartPolicy', 'string'],
  4: ['terminationGracePeriodSeconds', 'int'],
  8: ['serviceAccountName', 'string'],
});
const template = message({ 1: ['metadata', metadata], 2: ['spec', podSpec] });
const jobSpec = message({
  1: ['parallelism', 'int'],
  2: ['completions', 'int'],
  3: ['activeDeadlineSeconds', 'int'],
  6: ['template', template],
  7: ['backoffLimit', 'int'],
  8: ['ttlSecondsAfterFinished', 'int'],
});
const rules = message({
  1: ['verbs', 'strings'],
  2: ['apiGroups', 'strings'],
  3: ['resources', 'strings'],
  4: ['resourceNames', 'strings'],
  5: ['nonResourceURLs', 'strings'],
});
const binding = message({
  1: ['metadata', metadata],
  2: [
    'subjects',
    message({ 1: ['kind', 'string'], 2: ['apiGroup', 'string'], 3: ['name', 'string'], 4: ['namespace', 'string'] }),
    'many',
  ],
  3: ['roleRef', message({ 1: ['apiGroup', 'string'], 2: ['kind', 'string'], 3: ['name', 'string'] })],
});

function intOrString(bytes: Buffer): Json {
  const read = message({ 1: ['type', 'int'], 2: ['number', 'int'], 3: ['text', 'string'] })(bytes);
  return read.type === 1 ? read.text : (read.number ?? 0);
}

const KINDS: Record<string, Reader> = {
  Secret: message({
    1: ['metadata', metadata],
    2: ['data', map('bytes')],
    3: ['type', 'string'],
    4: ['stringData', map('string')],
    5: ['immutable', 'bool'],
  }),
  ConfigMap: message({
    1: ['metadata', metadata],
    2: ['data', map('string')],
    3: ['binaryData', map('bytes')],
    4: ['immutable', 'bool'],
  }),
  Namespace: message({ 1: ['metadata', metadata] }),
  ServiceAccount: message({ 1: ['metadata', metadata] }),
  Service: message({
    1: ['metadata', metadata],
    2: [
      'spec',
      message({
        1: ['ports', servicePort, 'many'],
        2: ['selector', map('string')],
        3: ['clusterIP', 'string'],
        4: ['type', 'string'],
        10: ['externalName', 'string'],
      }),
    ],
  }),
  SelfSubjectAccessReview: message({
    1: ['metadata', metadata],
    2: ['spec', message({ 1: ['resourceAttributes', attributes], 2: ['nonResourceAttributes', nonResource] })],
  }),
  SelfSubjectRulesReview: message({ 1: ['metadata', metadata], 2: ['spec', message({ 1: ['namespace', 'string'] })] }),
  SelfSubjectReview: message({ 1: ['metadata', metadata] }),
  SubjectAccessReview: subjectReview,
  LocalSubjectAccessReview: subjectReview,
  TokenRequest: message({
    1: ['metadata', metadata],
    2: ['spec', message({ 1: ['audiences', 'strings'], 4: ['expirationSeconds', 'int'] })],
  }),
  DeleteOptions: message({
    1: ['gracePeriodSeconds', 'int'],
    2: ['preconditions', message({ 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] })],
    4: ['propagationPolicy', 'string'],
    5: ['dryRun', 'strings'],
  }),
  Eviction: message({ 1: ['metadata', metadata] }),
  Deployment: message({
    1: ['metadata', metadata],
    2: ['spec', message({ 1: ['replicas', 'int'], 2: ['selector', selector], 3: ['template', template] })],
  }),
  Job: message({ 1: ['metadata', metadata], 2: ['spec', jobSpec] }),
  CronJob: message({
    1: ['metadata', metadata],
    2: [
      'spec',
      message({
        1: ['schedule', 'string'],
        3: ['concurrencyPolicy', 'string'],
        4: ['suspend', 'bool'],
        5: ['jobTemplate', message({ 1: ['metadata', metadata], 2: ['spec', jobSpec] })],
      }),
    ],
  }),
  PodDisruptionBudget: message({
    1: ['metadata', metadata],
    2: [
      'spec',
      message({ 1: ['minAvailable', intOrString], 2: ['selector', selector], 3: ['maxUnavailable', intOrString] }),
    ],
  }),
  ResourceQuota: message({ 1: ['metadata', metadata], 2: ['spec', message({ 1: ['hard', quantities()] })] }),
  Role: message({ 1: ['metadata', metadata], 2: ['rules', rules, 'many'] }),
  ClusterRole: message({ 1: ['metadata', metadata], 2: ['rules', rules, 'many'] }),
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  Status: message({
    1: ['metadata', message({})],
    2: ['status', 'string'],
    3: ['message', 'string'],
    4: ['reason', 'string'],
    5: [
      'details',
      message({ 1: ['name', 'string'], 2: ['group', 'string'], 3: ['kind', 'string'], 6: ['uid', 'string'] }),
    ],
    6: ['code', 'int'],
  }),
};

const unknown = message({
  1: ['typeMeta', message({ 1: ['apiVersion', 'string'], 2: ['kind', 'string'] })],
  2: ['raw', (bytes) => bytes],
});

/**
 * The object in a `application/vnd.kubernetes.protobuf` body. Throws 415 for a kind this server can't read: a real server
 * reads all built-in kinds, but kubectl's typed creates need these.
 */
export function decodeProtobuf(body: Buffer): Json {
  if (!body.subarray(0, 4).equals(MAGIC)) {
    throw failure(
      400,
      'BadRequest',
      'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
    );
  }
  try {
    const { typeMeta, raw } = unknown(body.subarray(4));
    const reader = KINDS[typeMeta?.kind];
    if (reader === undefined) {
      throw failure(
        415,
        'UnsupportedMediaType',
        `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`,
      );
    }
    return { apiVersion: typeMeta.apiVersion, kind: typeMeta.kind, ...reader(raw ?? Buffer.alloc(0)) };
  } catch (error) {
    if (error instanceof RangeError) throw failure(400, 'BadRequest', `proto: ${error.message}`);
    throw error;
  }
}
