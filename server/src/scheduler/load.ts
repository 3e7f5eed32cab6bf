// What waits and what runs, in predicted milliseconds: from it the scheduler says early whether a request is taken.
import { GenserveError } from '@genserve/runtime';
import type { CostModel } from './cost-model.js';
import type { Schedulable, Step } from './step.js';
import type { StepQueue } from './step-queue.js';

export interface QueueLimits {
  readonly maxQueuedSteps: number;
  readonly maxQueuedBytes: number;
  /** Predicted wait, until the batch that it joins has run, above which a request is refused. */
  readonly maxWaitMs: number;
}

const fewSteps = 4;
const shortestRetryMs = 100;
const longestRetryMs = 30_000;

/** Milliseconds that a new request has before it. */
export interface Wait {
  /** Until an executor should have worked through all that is there. */
  readonly waitMs: number;
  /** Until then and, where others will join its batch until that begins, all of them have run. */
  readonly joinedMs: number;
}

/** @param model that is asked for. */
export function predictWait<Model extends Schedulable>(
  queue: StepQueue<Model>,
  model: Model,
  runningMs: number,
  executors: number,
  costOf: (step: Step<Model>) => { cost: CostModel; joinLimit: number },
): Wait {
  let totalMs = runningMs;
  let fillMs = 0;
  for (const [first, ...others] of queue.groups()) {
    if (first === undefined) continue;
    const { cost, joinLimit } = costOf(first);
    const rows = others.reduce((sum, step) => sum + step.rows, first.rows);
    const whole = Math.floor(rows / joinLimit);
    const rest = rows % joinLimit;
    const fullMs = cost.predictMs(joinLimit);
    const restMs = rest > 0 ? cost.predictMs(rest) : 0;
    totalMs += whole * fullMs + restMs + Math.ceil(rows / joinLimit) * cost.transportMs;
    if (first.model === model) fillMs = Math.max(fillMs, fullMs - restMs);
  }
  const waitMs = totalMs / Math.max(1, executors);
  return { waitMs, joinedMs: waitMs + fillMs };
}

/** @throws OVERLOADED with a time to come back, PAYLOAD_TOO_LARGE for what never fits */
export function checkRoom(
  queue: { readonly length: number; readonly bytes: number },
  bytes: number,
  { waitMs, joinedMs }: Wait,
  leftMs: number,
  { maxQueuedSteps, maxQueuedBytes, maxWaitMs }: QueueLimits,
): void {
  if (bytes > maxQueuedBytes) {
    throw new GenserveError('PAYLOAD_TOO_LARGE', `${bytes} bytes of tensors; the queue holds ${maxQueuedBytes}`);
  }
  const why = whyFull();
  if (why === undefined) return;
  throw new GenserveError('OVERLOADED', `${why}; try again later`, {
    retryAfterMs: Math.round(Math.min(longestRetryMs, Math.max(shortestRetryMs, joinedMs))),
  });

  function whyFull(): string | undefined {
    if (queue.length >= maxQueuedSteps) return `the queue is full (${queue.length} steps)`;
    if (queue.bytes + bytes > maxQueuedBytes) return `the queue is full (${queue.bytes} bytes)`;
    const wait = (ms: number) => `the request would wait about ${Math.round(ms)} ms`;
    // A few steps are short, whatever was predicted of them.
    if (queue.length < fewSteps) return undefined;
    if (joinedMs > maxWaitMs) return `${wait(joinedMs)} (this server's limit is ${maxWaitMs} ms)`;
    if (waitMs > leftMs) return `${wait(waitMs)}, past its deadline`;
    return undefined;
  }
}
