/** What a scan of a pod template finds. A `Site` says precisely which bytes of which object; switch-plan.ts makes a patch of it. */
import type { Secret } from '../secret.ts';
import type { Dsn, Span } from './dsn.ts';
import type { EnvVariable } from './environment.ts';
import type { Json } from './types.ts';
import type { ContainerRole, DsnForm, SourceKind } from './workload-types.ts';

/** One container of a template. */
export interface Where {
  readonly container: string;
  readonly role: ContainerRole;
  /** JSON pointer of the container, `/spec/template/spec/containers/0`. */
  readonly pointer: string;
}

export type Place =
  | { readonly kind: 'env'; readonly index: number }
  | { readonly kind: 'envFrom'; readonly index: number; readonly key: string }
  | {
      readonly kind: 'argument';
      readonly field: 'args' | 'command';
      readonly index: number;
      readonly start: number;
      readonly end: number;
      /** Of the port of a split address; absent when none is written. */
      readonly port?: Span & { readonly index: number };
    }
  | {
      readonly kind: 'file';
      readonly volume: number;
      readonly source: number | undefined;
      readonly start: number;
      readonly end: number;
      readonly port?: Span;
    }
  | { readonly kind: 'serviceLink' };

export interface Site extends Where {
  readonly source: SourceKind;
  readonly form: DsnForm;
  readonly name: string;
  readonly place: Place;
  /** The raw entry, element or volume. */
  readonly raw: Json;
  /** The text that holds the address: the effective value, or the raw literal for composed ones, or the whole file. */
  readonly text: string;
  readonly dsn?: Dsn;
  readonly from?: { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string; readonly key: string };
  /** The variable, setting or flag with the port, for split addresses; absent when none exists. */
  readonly port?: { readonly name: string; readonly variable?: EnvVariable };
  /** Host and port as the application sees them. */
  readonly host: string;
  readonly portNumber: number;
  /** Who logs in where, when that stands in variables beside the address, or behind `$(…)` in it. */
  login?: Login | undefined;
  /** Parameters of the connection that stand in variables of their own (`PGOPTIONS`, `PGSSLMODE`). */
  beside?: Readonly<Record<string, string>>;
}

export interface Login {
  readonly user?: string;
  readonly password?: Secret;
  readonly database?: string;
}

export interface ScanResult {
  readonly sites: readonly Site[];
  readonly unexplained: readonly { readonly container?: string; readonly reason: string }[];
  /** Side-cars through which the address goes; such a workload needs a human. */
  readonly proxies: readonly string[];
}
