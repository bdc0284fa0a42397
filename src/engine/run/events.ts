/**
 * The events of the journal. `RunState = fold(events)`: what is not here did not happen. Each line of `events.jsonl` is
 * one `JournalLine`; `hash` chains it to the line before (journal.ts).
 */
import type {
  Answer,
  ChangePreview,
  ChecklistItem,
  Evidence,
  GateView,
  JsonValue,
  Outcome,
  PoolSample,
  ReconcileRow,
  RollbackScope,
  ServiceState,
  StepInfo,
  StepState,
  Timestamp,
} from './model.ts';

export type RunEvent =
  | {
      readonly type: 'run.started';
      readonly runId: string;
      readonly operator: string;
      readonly host: string;
      readonly pid: number;
      readonly toolVersion: string;
      readonly planName: string;
      readonly planHash: string;
      readonly plan: JsonValue;
      readonly cluster: {
        readonly context: string;
        readonly namespace: string;
        readonly uid: string;
        readonly version: string;
      };
      readonly rehearsal: boolean;
      readonly timeScale: number;
      readonly steps: readonly StepInfo[];
      readonly services: readonly { readonly name: string; readonly phase: string; readonly workload: string }[];
      readonly change?: { readonly number?: string; readonly title?: string };
    }
  | {
      readonly type: 'run.resumed';
      readonly operator: string;
      readonly host: string;
      readonly pid: number;
      readonly toolVersion: string;
      readonly rows: readonly ReconcileRow[];
    }
  | { readonly type: 'run.held'; readonly who: string; readonly reason: string }
  | { readonly type: 'run.unheld'; readonly who: string }
  | { readonly type: 'run.parked'; readonly reason: string }
  | { readonly type: 'run.ended'; readonly outcome: Outcome; readonly cause?: string }
  | { readonly type: 'step.started'; readonly id: string; readonly attempt: number }
  | { readonly type: 'step.previewed'; readonly id: string; readonly preview: ChangePreview }
  | { readonly type: 'step.evidence'; readonly id: string; readonly evidence: Evidence }
  | {
      readonly type: 'step.finished';
      readonly id: string;
      readonly state: StepState;
      readonly cause?: string;
      readonly hint?: string;
      readonly note?: string;
    }
  | { readonly type: 'service.state'; readonly service: string; readonly state: ServiceState }
  /** Before a mutating call is sent. `digest` is an HMAC, never a value. */
  | {
      readonly type: 'call.intent';
      readonly callId: string;
      readonly step: string;
      readonly attempt: number;
      readonly verb: 'create' | 'patch' | 'apply' | 'replace' | 'delete' | 'sql' | 'console';
      readonly target: {
        readonly kind: string;
        readonly namespace: string;
        readonly name: string;
        readonly uid?: string;
      };
      readonly direction: 'forward' | 'back';
      readonly before?: string;
      readonly expect?: string;
      readonly auditId?: string;
    }
  | {
      readonly type: 'call.outcome';
      readonly callId: string;
      readonly result: 'done' | 'refused' | 'unknown';
      readonly after?: string;
      readonly facts?: { readonly [key: string]: JsonValue };
      readonly error?: string;
    }
  | {
      readonly type: 'asked';
      readonly askId: string;
      readonly kind: string;
      readonly stepId?: string;
      readonly title: string;
    }
  | { readonly type: 'answered'; readonly askId: string; readonly who: string; readonly answer: Answer }
  | {
      readonly type: 'decided';
      readonly stepId: string;
      readonly phase: string;
      readonly who: string;
      readonly action: 'continue' | 'rollback' | 'extend' | 'hold';
      readonly reason?: string;
      readonly gates: readonly GateView[];
      readonly override: boolean;
    }
  | {
      readonly type: 'rollback.started';
      readonly scope: RollbackScope;
      readonly services: readonly string[];
      readonly who: string;
    }
  | { readonly type: 'rollback.finished'; readonly scope: RollbackScope; readonly ok: boolean }
  | { readonly type: 'pools.sampled'; readonly sample: PoolSample }
  | { readonly type: 'checklist'; readonly items: readonly ChecklistItem[] }
  /** Facts a later step or another machine needs: originals' digests, versions, computed numbers. Never a secret. */
  | { readonly type: 'fact'; readonly key: string; readonly value: JsonValue }
  | { readonly type: 'message'; readonly level: 'info' | 'warn' | 'error'; readonly text: string };

export interface JournalLine {
  readonly v: 1;
  readonly seq: number;
  readonly at: Timestamp;
  readonly event: RunEvent;
  /** Hash of the line before (64 hex), of 64 zeros for the first. */
  readonly prev: string;
  /** sha256 over the canonical JSON of {v, seq, at, event, prev}. */
  readonly hash: string;
}
