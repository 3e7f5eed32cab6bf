// What the scheduler and the executors tell of their work. Metrics, traces, statistics and logs are observers; what is
// observed knows none of them. Durations are milliseconds.
import type { Reason } from '@genserve/runtime';

/** What was run: one operation of one version of a model. */
export interface Work {
  readonly model: string;
  readonly version: number;
  /** "sample", or "sample#1" for a member of an ensemble. */
  readonly operation: string;
}

/**
 * Why a batch took no more steps. `idle`: an executor was free and nothing else waited for this operation. `mixed`: what
 * else waited for it has other shapes or parameters. `full`: more would not fit into a step. `companions`: all who shared
 * the batch before are there. `delay`: the wait for them was over. `unprofitable`: batching this operation gains nothing.
 * `retry`: a step that lost its executor runs by itself.
 */
export const batchClosings = ['idle', 'mixed', 'full', 'companions', 'delay', 'unprofitable', 'retry'] as const;
export type BatchClosing = (typeof batchClosings)[number];

export interface BatchEvent extends Work {
  readonly steps: number;
  readonly rows: number;
  readonly closing: BatchClosing;
  readonly computeMs: number;
  /** Absent where the run worked. */
  readonly failure?: Reason | undefined;
}

export interface StepEvent extends Work {
  readonly rows: number;
  /** From its arrival until its batch was closed. */
  readonly queueMs: number;
  /** Joining the rows of its batch, on the way to the executor and back, and parting the rows of the answer. */
  readonly batchMs: number;
  /** Its batch's run in the executor; 0 where it never ran. */
  readonly computeMs: number;
  /** Absent where the step was answered: OVERLOADED, CANCELLED, DEADLINE_EXCEEDED, EXECUTOR_LOST, INTERNAL. */
  readonly failure?: Reason | undefined;
}

export interface ExecutorEvent {
  readonly pid: number | undefined;
  readonly kind: 'ready' | 'lost';
  /** From start to ready, or from start to loss. */
  readonly afterMs: number;
}

export interface Observer {
  onBatch?(event: BatchEvent): void;
  onStep?(event: StepEvent): void;
  onExecutor?(event: ExecutorEvent): void;
}

/** What may be read at any time, e.g. when metrics are collected; see `gaugesOf`. */
export interface Gauges {
  readonly queuedSteps: number;
  readonly queuedBytes: number;
  /** By key of the model, 'name/version'; absent where nothing waits. */
  readonly queuedStepsByModel: ReadonlyMap<string, number>;
  /** Of them, those that answer. */
  readonly executors: { readonly count: number; readonly ready: number; readonly restarts: number };
  readonly executorPids: readonly number[];
}

/** Tells all of them. */
export function tellAll(observers: readonly Observer[]): Required<Observer> {
  return {
    onBatch: event => {
      for (const observer of observers) observer.onBatch?.(event);
    },
    onStep: event => {
      for (const observer of observers) observer.onStep?.(event);
    },
    onExecutor: event => {
      for (const observer of observers) observer.onExecutor?.(event);
    },
  };
}
