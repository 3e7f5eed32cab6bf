// What waits and what runs, in predicted milliseconds: from it the scheduler says early whether a request is taken.
import { GenserveError } from '@genserve/runtime';
import type { CostModel } from './cost-model.js';
import type { Schedulable, Step } from './step.js';
import type { StepQueue } from './step-queue.js';

export interface QueueLimits {
  readonly maxQueuedSteps: number;
  readonly maxQueuedBytes: number;
  /** Predicted wait above which a request is refused. */
  readonly maxWaitMs: number;
}

const fewSteps = 4;
const shortestRetryMs = 100;
const longestRetryMs = 30_000;

/** Milliseconds until an executor should have worked through all of this. */
export function predictWaitMs<Model extends Schedulable>(
  queue: StepQueue<Model>,
  runningMs: number,
  executors: number,
  costOf: (step: Step<Model>) => { cost: CostModel; joinLimit: number },
): number {
  let totalMs = runningMs;
  for (const [first, ...others] of queue.groups()) {
    if (first === undefined) continue;
    const { cost, joinLimit } = costOf(first);
    const rows = others.reduce((sum, step) => sum + step.rows, first.rows);
    const whole = Math.floor(rows / joinLimit);
    const rest = rows % joinLimit;
    totalMs += whole * cost.predictMs(joinLimit) + (rest > 0 ? cost.predictMs(rest) : 0);
    totalMs += Math.ceil(rows / joinLimit) * cost.transportMs;
  }
  return totalMs / Math.max(1, executors);
}

/** @throws OVERLOADED with a time to come back, PAYLOAD_TOO_LARGE for what never fits */
export function checkRoom(
  queue: { readonly length: number; readonly bytes: number },
  bytes: number,
  waitMs: number,
  leftMs: number,
  { maxQueuedSteps, maxQueuedBytes, maxWaitMs }: QueueLimits,
): void {
  if (bytes > maxQueuedBytes) {
    throw new GenserveError('PAYLOAD_TOO_LARGE', `${bytes} bytes of tensors; the queue holds ${maxQueuedBytes}`);
  }
  const why = whyFull();
  if (why === undefined) return;
  throw new GenserveError('OVERLOADED', `${why}; try again later`, {
    retryAfterMs: Math.round(Math.min(longestRetryMs, Math.max(shortestRetryMs, waitMs))),
  });

  function whyFull(): string | undefined {
    if (queue.length >= maxQueuedSteps) return `the queue is full (${queue.length} steps)`;
    if (queue.bytes + bytes > maxQueuedBytes) return `the queue is full (${queue.bytes} bytes)`;
    const wait = `the request would wait about ${Math.round(waitMs)} ms`;
    // A few steps are short, whatever was predicted of them.
    if (queue.length < fewSteps) return undefined;
    if (waitMs > maxWaitMs) return `${wait} (this server's limit is ${maxWaitMs} ms)`;
    if (waitMs > leftMs) return `${wait}, past its deadline`;
    return undefined;
  }
}
