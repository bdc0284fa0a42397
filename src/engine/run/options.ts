/** What a run is started with. The command line fills it in; the engine knows no flag. */
import type { Ledger } from '../kube/option-types.ts';
import type { LoadedPlan } from '../plan/load.ts';
import type { Secret } from '../secret.ts';
import type { RollbackScope } from './model.ts';

export interface KubeOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly as?: string;
  readonly requestTimeoutMs?: number;
  /** Ends what is asked of the cluster before there is a run: the command was stopped. */
  readonly signal?: AbortSignal;
}

export interface SecretInputs {
  /** Password of the application role in PostgreSQL; found in the services' own addresses when absent. */
  readonly rolePassword?: Secret;
  /** Of PgBouncer's admin user; taken from the Secret of an earlier run, else generated. */
  readonly adminPassword?: Secret;
  readonly statsPassword?: Secret;
  /** Of the plan's other roles (`postgres.also`), by role. */
  readonly otherRoles?: ReadonlyMap<string, Secret>;
}

/** Answers for a run without a terminal. */
export interface HeadlessPolicy {
  /** `all`: every previewed change is made. `none`: the run stops at the first change (exit 3), as a rehearsal of the plan. */
  readonly approve: 'all' | 'none';
  readonly onFailure: 'stop' | 'rollback-service' | 'rollback-phase' | 'rollback-all';
  /** `accept` waives a check that could not be measured and says so in the record; `stop` parks the run. */
  readonly onInconclusive: 'stop' | 'accept';
  /** Services that can't be moved as they are (paused, another role, a manager that reverts): `skip` moves the others. */
  readonly onBlocked?: 'stop' | 'skip';
}

export interface ManifestsOption {
  readonly dir: string;
  readonly write: boolean;
}

export interface RunOptions {
  readonly kube: KubeOptions;
  readonly loadedPlan: LoadedPlan;
  readonly stateDir: string;
  readonly operator: string;
  readonly host: string;
  readonly toolVersion: string;
  /** Run id to resume. */
  readonly resume?: string;
  /** Id of a new run, when somebody needed it beforehand (a Role that names the objects of the run). */
  readonly newRunId?: string;
  /** The cluster's copy of that run, when this machine has no journal of it: one is rebuilt from it. */
  readonly fromCluster?: Ledger;
  readonly secrets: SecretInputs;
  /** Absent: every question waits for an intent. */
  readonly policy?: HeadlessPolicy;
  readonly timeScale: number;
  readonly rehearsal: boolean;
  readonly change?: { readonly number?: string; readonly title?: string };
  /** `server`: every change is sent with dryRun=All and none is made. `client`: nothing but reads leaves the machine. */
  readonly dryRun?: 'none' | 'client' | 'server';
  /** Files that the workloads are made from: looked at, at p1.prepare, and written when `write`. */
  readonly manifests?: ManifestsOption;
  /** Parks the run when this phase (`p1`) or step (`p1.prepare`) is done. */
  readonly stopAfter?: string;
  /** The first thing to do, instead of going on with the plan. */
  readonly rollback?: RollbackScope;
}
