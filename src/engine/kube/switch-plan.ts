/**
 * From the places that hold the address to edits and new objects, one rule for each kind of source:
 * a shared Secret or ConfigMap is never edited; a literal password leaves the template.
 */
import { fail, ok, type Result } from '../result.ts';
import { type Splice, spliced } from '../spliced.ts';
import { parseDsn, rewriteDsn } from './dsn.ts';
import type { ContainerList, Edit } from './edits.ts';
import { type EnvVariable, expand, references } from './environment.ts';
import { templateOf } from './fingerprint.ts';
import { type NewObject, OwnedObjects } from './owned-objects.ts';
import type { Site } from './site.ts';
import type { ReadSources } from './sources.ts';
import { isTarget, type ResolvedTarget, seenBy } from './target.ts';
import type { Json, KubeObject } from './types.ts';
import type { Endpoint } from './workload-types.ts';

export interface SwitchPlan {
  readonly edits: readonly Edit[];
  readonly objects: readonly NewObject[];
  readonly warnings: readonly string[];
  /** What the application will see, by edit: masked by the caller. */
  readonly values: ReadonlyMap<Edit, { readonly old: string; readonly now: string }>;
  /** What changes in the files of a volume, by the volume's edit: masked by the caller. */
  readonly files: ReadonlyMap<Edit, readonly FileChange[]>;
}

export interface FileChange {
  /** `volume/key`, and the setting behind a colon. */
  readonly name: string;
  readonly old: string;
  readonly now: string;
}

export function planEdits(
  live: KubeObject,
  sites: readonly Site[],
  sources: ReadSources,
  target: ResolvedTarget,
  to: Endpoint,
  runId: string,
): Result<SwitchPlan> {
  return new Planner(live, sources, target, to, runId).plan(sites);
}

class Planner {
  readonly #live: KubeObject;
  readonly #sources: ReadSources;
  readonly #target: ResolvedTarget;
  readonly #to: Endpoint;
  readonly #owned: OwnedObjects;
  readonly #edits: Edit[] = [];
  readonly #values = new Map<Edit, { old: string; now: string }>();
  readonly #warnings: string[] = [];
  readonly #volumes = new Map<number, Json>();
  readonly #fileChanges = new Map<number, FileChange[]>();
  readonly #files = new Map<Edit, readonly FileChange[]>();
  /** By their places: one edit an argument, with all the addresses in it. */
  readonly #arguments = new Map<string, { edit: Extract<Edit, { kind: 'argument' }>; splices: Splice[] }>();

  constructor(live: KubeObject, sources: ReadSources, target: ResolvedTarget, to: Endpoint, runId: string) {
    this.#live = live;
    this.#sources = sources;
    this.#target = seenBy(target, templateOf(live)?.spec);
    this.#to = to;
    this.#owned = new OwnedObjects(live, runId);
  }

  plan(sites: readonly Site[]): Result<SwitchPlan> {
    for (const site of sites) {
      const refused = this.#site(site);
      if (refused !== undefined) {
        return fail('not-eligible', `${site.name} of container ${site.container} cannot be switched: ${refused.why}`, {
          next: [refused.next],
        });
      }
    }
    for (const { edit } of this.#arguments.values()) this.#edits.push(edit);
    this.#volumeEdits();
    return ok({
      edits: this.#edits,
      objects: this.#owned.objects(),
      warnings: this.#warnings,
      values: this.#values,
      files: this.#files,
    });
  }

  #site(site: Site): { why: string; next: string } | undefined {
    const place = site.place;
    if (place.kind === 'serviceLink') {
      this.#insert(site, site.name, this.#to.host, true, site.text);
      if (this.#to.port !== site.portNumber)
        this.#insert(site, site.port!.name, String(this.#to.port), true, String(site.portNumber));
      return undefined;
    }
    if (site.form === 'split' || site.form === 'hostport') {
      return place.kind === 'file' || place.kind === 'argument' ? this.#splitInText(site, place) : this.#split(site);
    }
    const rewritten = rewriteDsn(site.dsn!, (h) => isTarget(this.#target, h), this.#to);
    if (rewritten === undefined) {
      return {
        why: site.dsn!.fixed ?? 'its address cannot be rewritten',
        next: 'Change this address by hand, then look again.',
      };
    }
    const secret = site.dsn!.passwordSpans.length > 0;
    switch (place.kind) {
      case 'env':
        this.#env(site, place.index, rewritten, secret);
        return undefined;
      case 'envFrom': {
        const first = this.#isReferenced(site, site.name);
        const after =
          site.source === 'envFromSecret' || secret
            ? secretEntry(site.name, this.#owned.name, this.#owned.keyFor('Secret', place.key, rewritten, site))
            : { name: site.name, value: literal(rewritten) };
        this.#push(
          site,
          { kind: 'env', ...this.#where(site), name: site.name, index: -1, before: null, after, first },
          rewritten,
        );
        return undefined;
      }
      case 'argument':
        this.#argument(site, place, rewritten, secret);
        return undefined;
      case 'file':
        return this.#file(site, place, rewritten, site.name);
    }
  }

  #env(site: Site, index: number, rewritten: string, secret: boolean): void {
    const { name } = site.raw;
    let after: Json;
    if (site.source === 'literal' && secret) {
      after = secretEntry(name, this.#owned.name, this.#owned.keyFor('Secret', name, rewritten, site));
    } else if (site.source === 'literal') {
      // No secret in it: the literal stays one. `$$` must survive, so the raw text is rewritten when it parses.
      const raw = parseDsn(site.raw.value);
      const inPlace = raw && rewriteDsn(raw, (h) => isTarget(this.#target, h), this.#to);
      after = { ...site.raw, value: inPlace ?? literal(rewritten) };
    } else if (site.source === 'composed') {
      after = { ...site.raw, value: rewritten };
    } else if (site.source === 'configMapKeyRef' && secret) {
      after = secretEntry(name, this.#owned.name, this.#owned.keyFor('Secret', site.from!.key, rewritten, site));
      this.#warnings.push(`ConfigMap ${site.from!.name} holds a password in clear; the new value goes into a Secret.`);
    } else {
      after = this.#repoint(site, rewritten);
    }
    this.#push(site, { kind: 'env', ...this.#where(site), name, index, before: site.raw, after }, rewritten);
  }

  /** The same reference, to a new object with the same key. */
  #repoint(site: Site, text: string): Json {
    const kind = site.source === 'secretKeyRef' ? 'Secret' : 'ConfigMap';
    const field = site.source === 'secretKeyRef' ? 'secretKeyRef' : 'configMapKeyRef';
    const key = this.#owned.keyFor(kind, site.from!.key, text, site);
    return {
      ...site.raw,
      valueFrom: { ...site.raw.valueFrom, [field]: { ...site.raw.valueFrom[field], name: this.#owned.name, key } },
    };
  }

  #split(site: Site): { why: string; next: string } | undefined {
    const text = site.form === 'hostport' ? `${this.#to.host}:${this.#to.port}` : this.#to.host;
    this.#splitPart(
      site,
      site.name,
      site.source,
      site.place.kind === 'env' ? site.place.index : -1,
      site.raw,
      text,
      site.text,
      site.from,
    );
    if (site.form === 'hostport' || this.#to.port === site.portNumber) return undefined;
    const { name, variable } = site.port!;
    if (variable === undefined) {
      if (!/^PG/.test(name)) {
        return {
          why: `it has no variable for the port, and the pooler listens on ${this.#to.port}`,
          next: `Let the pooler's Service listen on ${site.portNumber} as well, or add the application's port variable first.`,
        };
      }
      this.#insert(site, name, String(this.#to.port), false, String(site.portNumber));
      return undefined;
    }
    const { origin } = variable;
    if (origin.kind === 'literal' || origin.kind === 'secretKeyRef' || origin.kind === 'configMapKeyRef') {
      const raw = this.#container(site).env[origin.index];
      const from = this.#from(variable);
      const source = origin.kind === 'literal' ? 'split' : origin.kind;
      this.#splitPart(site, name, source, origin.index, raw, String(this.#to.port), variable.value ?? '', from);
    } else this.#insert(site, name, String(this.#to.port), this.#isReferenced(site, name), variable.value ?? '');
    return undefined;
  }

  /** Host and port as settings of a file, or behind flags. */
  #splitInText(
    site: Site,
    place: Extract<Site['place'], { kind: 'file' | 'argument' }>,
  ): { why: string; next: string } | undefined {
    const { host, port } = this.#to;
    const moves = port !== site.portNumber;
    if (site.form === 'split' && moves && !place.port) {
      return {
        why: `no port is written beside it, and the pooler listens on ${port}`,
        next: `Let the pooler's Service listen on ${site.portNumber} as well, or write the port beside the host first.`,
      };
    }
    const parts = [{ at: place, text: site.form === 'hostport' ? `${host}:${port}` : host, name: site.name }];
    if (site.form === 'split' && moves && place.port)
      parts.push({ at: { ...place, ...place.port }, text: String(port), name: site.port?.name ?? site.name });
    for (const { at, text, name } of parts) {
      if (at.kind === 'argument') this.#argumentPart(site, at, text);
      else {
        const refused = this.#file(site, at, text, name);
        if (refused) return refused;
      }
    }
    return undefined;
  }

  #splitPart(
    site: Site,
    name: string,
    source: Site['source'],
    index: number,
    raw: Json,
    text: string,
    old: string,
    from: Site['from'],
  ): void {
    if (source === 'envFromSecret' || source === 'envFromConfigMap') {
      this.#insert(site, name, text, this.#isReferenced(site, name), old);
      return;
    }
    const after =
      source === 'split'
        ? { ...raw, value: text }
        : this.#repoint({ ...site, source, raw, ...(from ? { from } : {}) }, text);
    this.#push(site, { kind: 'env', ...this.#where(site), name, index, before: raw, after }, text, old);
  }

  #from(variable: EnvVariable): Site['from'] {
    const { origin } = variable;
    if (origin.kind !== 'secretKeyRef' && origin.kind !== 'configMapKeyRef') return undefined;
    return { kind: origin.kind === 'secretKeyRef' ? 'Secret' : 'ConfigMap', name: origin.name, key: origin.key };
  }

  #argument(site: Site, place: Extract<Site['place'], { kind: 'argument' }>, rewritten: string, secret: boolean): void {
    let text = rewritten;
    if (secret && references(site.text).length === 0) {
      const name = this.#freeName(site, 'PGB_DSN');
      const value = expand(rewritten, () => undefined);
      const key = this.#owned.keyFor('Secret', name, value, site);
      const after = secretEntry(name, this.#owned.name, key);
      this.#push(site, { kind: 'env', ...this.#where(site), name, index: -1, before: null, after }, value);
      text = `$(${name})`;
    }
    this.#argumentPart(site, place, text);
  }

  #argumentPart(site: Site, place: Extract<Site['place'], { kind: 'argument' }>, text: string): void {
    const { field, index, start, end } = place;
    const id = `${site.pointer}/${field}/${index}`;
    const before = String(this.#container(site)[field][index]);
    const splices = [...(this.#arguments.get(id)?.splices ?? []), { start, end, text }];
    const after = spliced(before, splices);
    this.#arguments.set(id, { edit: { kind: 'argument', ...this.#where(site), field, index, before, after }, splices });
  }

  #file(
    site: Site,
    place: Extract<Site['place'], { kind: 'file' }>,
    rewritten: string,
    what: string,
  ): { why: string; next: string } | undefined {
    const { kind, name, key } = site.from!;
    const object = this.#sources.object(kind, name);
    if (!object) return { why: `${kind} ${name} is not readable`, next: 'Grant get on it, then look again.' };
    const { start, end } = place;
    const copy = this.#owned.copyWith(object, kind, name, key, site.text, { start, end, text: rewritten });
    const volume: Json = structuredClone(this.#volumes.get(place.volume) ?? site.raw);
    const part = place.source === undefined ? volume : volume.projected.sources[place.source];
    if (kind === 'Secret' && place.source === undefined) part.secret.secretName = copy;
    else if (kind === 'Secret') part.secret.name = copy;
    else part.configMap.name = copy;
    this.#volumes.set(place.volume, volume);
    const change = { name: what, old: site.text.slice(start, end), now: rewritten };
    this.#fileChanges.set(place.volume, [...(this.#fileChanges.get(place.volume) ?? []), change]);
    const mount = `Volume ${site.raw.name} will mount ${kind} ${copy}, a copy of ${name} with the new address.`;
    if (!this.#warnings.includes(mount)) this.#warnings.push(mount);
    return undefined;
  }

  #volumeEdits(): void {
    const volumes: Json[] = templateOf(this.#live)?.spec?.volumes ?? [];
    for (const [index, after] of this.#volumes) {
      const before = volumes[index];
      const edit: Edit = { kind: 'volume', name: before.name, index, before, after };
      this.#edits.push(edit);
      this.#files.set(edit, this.#fileChanges.get(index) ?? []);
    }
  }

  #insert(site: Site, name: string, value: string, first: boolean, old: string): void {
    const edit: Edit = {
      kind: 'env',
      ...this.#where(site),
      name,
      index: -1,
      before: null,
      after: { name, value },
      first,
    };
    this.#push(site, edit, value, old);
  }

  #push(site: Site, edit: Edit, now: string, old: string = site.text): void {
    this.#edits.push(edit);
    this.#values.set(edit, { old, now });
  }

  #where(site: Site): { list: ContainerList; container: string } {
    return {
      list: site.pointer.includes('/initContainers/') ? 'initContainers' : 'containers',
      container: site.container,
    };
  }

  #container(site: Site): Json {
    const { list, container } = this.#where(site);
    return templateOf(this.#live).spec[list].find((c: Json) => c.name === container);
  }

  #isReferenced(site: Site, name: string): boolean {
    return ((this.#container(site).env ?? []) as Json[]).some(
      (e) => typeof e.value === 'string' && references(e.value).includes(name),
    );
  }

  #freeName(site: Site, wanted: string): string {
    const taken = new Set([
      ...((this.#container(site).env ?? []) as Json[]).map((e) => e.name),
      ...this.#edits
        .filter((e) => e.kind === 'env' && e.container === site.container)
        .map((e) => (e.kind === 'env' ? e.name : '')),
    ]);
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
    return name;
  }
}

const secretEntry = (name: string, secret: string, key: string): Json => ({
  name,
  valueFrom: { secretKeyRef: { name: secret, key } },
});

/** A literal goes through `$(…)` expansion; a value from a Secret does not. */
const literal = (text: string): string => text.replaceAll('$', '$$$$');
