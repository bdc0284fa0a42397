/**
 * The nouns of manifest files: what a change wants of them, where it fits, and what was done. Texts of files stay inside
 * `FileChange`; everything else here may be printed and recorded.
 */
import type { Edit } from '../kube/edits.ts';
import type { NewObject } from '../kube/owned-objects.ts';
import type { ResolvedTarget } from '../kube/target.ts';
import type { Ref } from '../kube/types.ts';
import type { Endpoint } from '../kube/workload-types.ts';

/** One workload's change, as the run makes it on the live object. */
export interface WantedChange {
  readonly ref: Ref;
  readonly edits: readonly Edit[];
  readonly objects: readonly NewObject[];
}

/** `forward`: to the pooler. `back`: to the original address. */
export type Direction = 'forward' | 'back';

export interface ManifestRequest {
  /** The folder, as the operator wrote it. */
  readonly dir: string;
  readonly namespace: string;
  readonly changes: readonly WantedChange[];
  readonly direction: Direction;
  /** Of PostgreSQL and the pooler, to find addresses in what is not edited. */
  readonly target: ResolvedTarget;
  readonly to: Endpoint;
  /** Also edit what several builds of kustomize share. */
  readonly shared?: boolean;
  readonly signal?: AbortSignal;
}

/** `path` is relative to the folder, with `/`; `line` counts from 1. */
export interface Place {
  readonly path: string;
  readonly line: number;
}

/**
 * `change`: its files would be written · `done`: they are as wanted already · `missing`: no document of it · `differs`: a
 * document says something else than the cluster · `ambiguous`: more than one document holds the same entry · `by-hand`: it
 * is there, and can't be edited without touching more.
 */
export type ManifestState = 'change' | 'done' | 'missing' | 'differs' | 'ambiguous' | 'by-hand';

export interface WorkloadManifests {
  /** `deployment/identity-service`. */
  readonly id: string;
  readonly state: ManifestState;
  readonly places: readonly Place[];
  /** One sentence, masked. */
  readonly detail: string;
  readonly next: readonly string[];
}

/** A file with all of its edits. `before` and `after` may hold passwords: they go to the file and nowhere else. */
export interface FileChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
  /** sha256 of the bytes, hex. */
  readonly digests: { readonly before: string; readonly after: string };
  /** As `diff -u` prints it, passwords as dots, without what would act on a terminal. */
  readonly diff: readonly string[];
  /** It has changes that are not committed, or Git does not know it. Absent outside a repository. */
  readonly git?: 'clean' | 'modified' | 'untracked';
  readonly workloads: readonly string[];
}

/** A Secret that the edited manifests refer to, and that no file may hold in clear. */
export interface SecretTask {
  readonly name: string;
  readonly workload: string;
  readonly keys: readonly string[];
  /** What makes the Secret that the address came from, when the folder has it. */
  readonly maker?: Place & { readonly kind: string };
  /** Imperative sentences. */
  readonly next: readonly string[];
}

/** An address of PostgreSQL in a place that is not edited: values of a chart, a generator, a patch, another workload. */
export interface Mention extends Place {
  readonly what: string;
  /** The value, masked. */
  readonly shown: string;
  /** It belongs to a Helm chart (`values.yaml`, a HelmRelease, an Argo CD Application). */
  readonly helm: boolean;
}

export interface ManifestPlan {
  readonly dir: string;
  /** The folder itself, symbolic links resolved. */
  readonly root: string;
  readonly direction: Direction;
  readonly workloads: readonly WorkloadManifests[];
  readonly files: readonly FileChange[];
  readonly secrets: readonly SecretTask[];
  readonly mentions: readonly Mention[];
  /** Charts whose templates are no YAML, by folder. */
  readonly charts: readonly string[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}
