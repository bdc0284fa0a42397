/** Manifests as people write them, at random: every way to quote, indent, order, comment and share. */
import fc from 'fast-check';

interface Look {
  readonly step: 2 | 4;
  readonly listStep: 0 | 2;
  readonly crlf: boolean;
  readonly bom: boolean;
  readonly finalNewline: boolean;
  readonly list: boolean;
  readonly comments: boolean;
}

type Quote = 'plain' | 'single' | 'double' | 'folded' | 'literal';

interface Entry {
  readonly kind: 'url' | 'jdbc' | 'host' | 'hostport' | 'secret' | 'map' | 'composed' | 'other' | 'anchor' | 'alias';
  readonly flow: boolean;
  readonly quote: Quote;
  readonly comment: boolean;
  readonly blank: boolean;
  readonly valueFirst: boolean;
}

interface Container {
  readonly entries: readonly Entry[];
  readonly envFrom: boolean;
  readonly argument: 'none' | 'flow' | 'block' | 'script';
  readonly envLast: boolean;
}

const look: fc.Arbitrary<Look> = fc.record({
  step: fc.constantFrom(2, 4),
  listStep: fc.constantFrom(0, 2),
  crlf: fc.boolean(),
  bom: fc.boolean(),
  finalNewline: fc.boolean(),
  list: fc.boolean(),
  comments: fc.boolean(),
});
const entry: fc.Arbitrary<Entry> = fc.record({
  kind: fc.constantFrom('url', 'jdbc', 'host', 'hostport', 'secret', 'map', 'composed', 'other', 'anchor', 'alias'),
  flow: fc.boolean(),
  quote: fc.constantFrom('plain', 'single', 'double', 'folded', 'literal'),
  comment: fc.boolean(),
  blank: fc.boolean(),
  valueFirst: fc.boolean(),
});
const container: fc.Arbitrary<Container> = fc.record({
  entries: fc.array(entry, { maxLength: 6 }),
  envFrom: fc.boolean(),
  argument: fc.constantFrom('none', 'flow', 'block', 'script'),
  envLast: fc.boolean(),
});

const TEXTS: Readonly<Record<string, string>> = {
  url: 'postgresql://nova_user@postgres:5432/nova?sslmode=prefer',
  jdbc: 'jdbc:postgresql://postgres.nova.svc:5432/nova',
  hostport: 'postgres:5432',
  composed: 'postgres://$(DB_USER)@postgres/nova',
  other: 'debug, "verbose": no #1',
  anchor: 'shared words',
};

class Writer {
  readonly lines: string[] = [];
  readonly #look: Look;
  #anchors = 0;

  constructor(look: Look) {
    this.#look = look;
  }

  add(column: number, text: string): void {
    this.lines.push(' '.repeat(column) + text);
  }

  /** A new document knows no anchors. */
  separator(): void {
    this.add(0, '---');
    this.#anchors = 0;
  }

  note(column: number, text: string): void {
    if (this.#look.comments) this.add(column, `# ${text}`);
  }

  scalar(text: string, quote: Quote, flow: boolean): string {
    if (quote === 'single' || (quote === 'plain' && (flow || /[,#"]/.test(text)))) return `'${text}'`;
    return quote === 'plain' ? text : JSON.stringify(text);
  }

  container(column: number, name: string, spec: Container): void {
    const { step, listStep } = this.#look;
    this.add(column, `- name: ${name}`);
    const inner = column + 2;
    this.add(inner, `image: registry/${name}:1 # not this one`);
    if (spec.envFrom) {
      this.add(inner, 'envFrom:');
      this.add(inner + listStep, '- configMapRef: {name: db-map}');
    }
    const env = () => {
      if (spec.entries.length === 0) return;
      this.add(inner, 'env:');
      for (const [index, one] of spec.entries.entries()) this.entry(inner + listStep, index, one);
    };
    if (!spec.envLast) env();
    this.argument(inner, spec.argument, listStep, step);
    if (spec.envLast) env();
    this.note(inner, 'what follows is about resources');
    this.add(inner, 'resources: {}');
  }

  argument(column: number, kind: Container['argument'], listStep: number, step: number): void {
    const url = 'postgres://job@postgres:5432/nova';
    if (kind === 'flow') this.add(column, `args: ["--db", "${url}"] # both`);
    if (kind === 'block') {
      this.add(column, 'args:');
      this.add(column + listStep, '- --db');
      this.add(column + listStep, `- --url=${url} # the address`);
    }
    if (kind === 'script') {
      this.add(column, 'args:');
      this.add(column + listStep, '- |');
      this.add(column + listStep + step, 'set -e');
      this.add(column + listStep + step, `exec app --db ${url} --verbose`);
      this.add(column + listStep + step, 'echo "not here"');
    }
  }

  entry(column: number, index: number, one: Entry): void {
    const { step } = this.#look;
    if (one.blank) this.lines.push('');
    if (one.comment) this.note(column, `about ${index}`);
    const tail = one.comment && this.#look.comments ? ' # behind' : '';
    const item = (name: string, value: string): void => {
      const [a, b] = one.valueFirst ? [`value: ${value}`, `name: ${name}`] : [`name: ${name}`, `value: ${value}`];
      if (one.flow) this.add(column, `- {${a}, ${b}}${tail}`);
      else {
        this.add(column, `- ${a}${tail}`);
        this.add(column + 2, `${b}${tail}`);
      }
    };
    const name = `V${index}`;
    if (one.kind === 'secret') this.reference(column, name, ['secretKeyRef', 'db-secret', 'URL'], one.flow, tail);
    else if (one.kind === 'map')
      this.reference(column, name, ['configMapKeyRef', 'db-map', 'FROM_MAP'], one.flow, tail);
    else if (one.kind === 'host') {
      item(`H${index}_HOST`, this.scalar('postgres', one.quote === 'folded' ? 'plain' : one.quote, one.flow));
      item(`H${index}_PORT`, '"5432"');
    } else if (one.kind === 'anchor') {
      this.#anchors += 1;
      const text = this.scalar(TEXTS.anchor!, one.quote === 'plain' ? 'plain' : 'double', one.flow);
      item(name, `&a${this.#anchors} ${text}`);
    } else if (one.kind === 'alias') item(name, this.#anchors === 0 ? 'none' : `*a${this.#anchors} `);
    else {
      const text = TEXTS[one.kind]!;
      const named = one.kind === 'hostport' ? `${name}_ADDR` : name;
      const block = !one.flow && !one.valueFirst && (one.quote === 'folded' || one.quote === 'literal');
      if (!block) item(named, this.scalar(text, one.quote, one.flow));
      else {
        this.add(column, `- name: ${named}`);
        this.add(column + 2, `value: ${one.quote === 'folded' ? '>-' : '|-'}`);
        this.add(column + 2 + step, text);
      }
    }
  }

  reference(
    column: number,
    name: string,
    [field, from, key]: readonly [string, string, string],
    flow: boolean,
    tail: string,
  ): void {
    const { step } = this.#look;
    if (flow) this.add(column, `- {name: ${name}, valueFrom: {${field}: {name: ${from}, key: ${key}}}}${tail}`);
    else {
      this.add(column, `- name: ${name}`);
      this.add(column + 2, 'valueFrom:');
      this.add(column + 2 + step, `${field}:`);
      this.add(column + 2 + 2 * step, `key: ${key}${tail}`);
      this.add(column + 2 + 2 * step, `name: "${from}"${tail}`);
    }
  }
}

const NAMES = ['app', 'side', 'third'];

/** A file of these services, as somebody with that taste writes it. */
export function manifest(look: Look, services: readonly (readonly Container[])[]): string {
  const writer = new Writer(look);
  const base = look.list ? 4 : 0;
  writer.note(0, 'written by hand');
  if (look.list) for (const line of ['apiVersion: v1', 'kind: List', 'items:']) writer.add(0, line);
  for (const [index, containers] of services.entries()) {
    if (!look.list && index > 0) writer.separator();
    const column = look.list ? 4 : 0;
    const head = (text: string, first = false) =>
      writer.add(first && look.list ? 2 : column, `${first && look.list ? '- ' : ''}${text}`);
    head('apiVersion: apps/v1', true);
    head('kind: Deployment');
    head(`metadata: {name: svc-${index}, labels: {app: 'svc-${index}'}}`);
    head('spec:');
    writer.add(base + 2, `selector: {matchLabels: {app: svc-${index}}}`);
    writer.add(base + 2, 'template:');
    writer.add(base + 4, 'metadata: {labels: {app: x}}');
    writer.add(base + 4, 'spec:');
    writer.add(base + 6, 'containers:');
    for (const [at, one] of containers.entries()) writer.container(base + 6, NAMES[at]!, one);
    writer.note(base + 6, 'the end');
  }
  const eol = look.crlf ? '\r\n' : '\n';
  return `${look.bom ? '\uFEFF' : ''}${writer.lines.join(eol)}${look.finalNewline ? eol : ''}`;
}

/** A taste, and the containers of each service. */
export const ofFleet = fc.tuple(
  look,
  fc.array(fc.array(container, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
);

/** A manifest whose addresses are shared through anchors, some of them with entries that a change leaves alone. */
export const shared = fc.record({
  step: fc.constantFrom(0, 2),
  entries: fc.array(fc.record({ kind: fc.constantFrom('anchor', 'alias', 'own', 'entry'), flow: fc.boolean() }), {
    minLength: 1,
    maxLength: 5,
  }),
  other: fc.array(fc.constantFrom('alias', 'own', 'entry'), { maxLength: 3 }),
  wholeList: fc.boolean(),
});

export function sharedManifest({
  step,
  entries,
  other,
  wholeList,
}: typeof shared extends fc.Arbitrary<infer T> ? T : never): string {
  const url = 'postgres://u@postgres:5432/nova';
  let anchored = false;
  let shownEntry = false;
  const lines = (kinds: readonly { kind: string; flow: boolean }[]) =>
    kinds.map(({ kind, flow }, index) => {
      const pad = ' '.repeat(8 + step);
      if (kind === 'entry' && shownEntry) return `${pad}- *whole`;
      const value = kind === 'alias' && anchored ? '*db ' : kind === 'anchor' && !anchored ? `&db ${url}` : url;
      anchored ||= kind === 'anchor';
      const mark = kind === 'entry' ? '&whole ' : '';
      shownEntry ||= kind === 'entry';
      return flow || kind === 'entry'
        ? `${pad}- ${mark}{name: V${index}, value: ${value === url ? `'${url}'` : value}} # ${index}`
        : `${pad}- name: V${index}\n${pad}  value: ${value} # ${index}`;
    });
  const first = lines(entries);
  const second = lines(other.map((kind) => ({ kind, flow: true })));
  return [
    'apiVersion: apps/v1',
    'kind: Deployment',
    'metadata: {name: svc}',
    'spec:',
    '  template:',
    '    spec:',
    '      containers:',
    '      - name: app',
    '        image: x',
    `        env:${wholeList ? ' &all' : ''}`,
    ...first,
    // Migrations stay direct: what they share with the container must not change with it.
    '      initContainers:',
    '      - name: migrate',
    '        image: x',
    ...(wholeList ? ['        env: *all'] : second.length > 0 ? ['        env:', ...second] : []),
    '',
  ].join('\n');
}
