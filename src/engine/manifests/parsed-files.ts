/** The files of a folder that could be read as YAML, and what is in them by name: a fleet has a thousand of each. */
import type { KubeObject } from '../kube/types.ts';
import { type ManifestObject, objectsIn, type Parsed } from './documents.ts';
import { makerOf } from './mentions.ts';

export interface ParsedFile {
  readonly path: string;
  readonly parsed: Parsed;
}

/** A document of an object: its manifest, or a patch that holds a part of it. */
export interface Candidate {
  readonly file: ParsedFile;
  readonly object: ManifestObject;
}

export interface Maker extends Candidate {
  /** `ExternalSecret`, `SealedSecret`, `SOPS Secret`, … */
  readonly kind: string;
}

export class ParsedFiles {
  readonly list: readonly ParsedFile[];
  readonly #byPath: ReadonlyMap<string, ParsedFile>;
  readonly #byName = new Map<string, Candidate[]>();
  readonly #makers = new Map<string, Maker>();

  constructor(list: readonly ParsedFile[]) {
    this.list = list;
    this.#byPath = new Map(list.map((file) => [file.path, file]));
    for (const file of list) {
      for (const object of objectsIn(file.parsed)) {
        const name = `${object.value.kind}/${object.value.metadata.name}`;
        this.#byName.set(name, [...(this.#byName.get(name) ?? []), { file, object }]);
        const maker = makerOf(object.value);
        if (maker && !this.#makers.has(maker.secret))
          this.#makers.set(maker.secret, { file, object, kind: maker.kind });
      }
    }
  }

  /** Text of a file that is in the list. */
  textOf(path: string): string {
    return this.#byPath.get(path)!.parsed.text;
  }

  /** Documents of every group and namespace with that kind and name. */
  named(kind: KubeObject['kind'], name: string): readonly Candidate[] {
    return this.#byName.get(`${kind}/${name}`) ?? [];
  }

  /** What makes a Secret; the first of them. */
  makerOf(secret: string): Maker | undefined {
    return this.#makers.get(secret);
  }
}
