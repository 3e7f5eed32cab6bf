// What may be read of the server at any time.
import type { Gauges } from './observer.js';

type Queue = Pick<Gauges, 'queuedSteps' | 'queuedBytes' | 'queuedStepsByModel'>;

interface Executors {
  readonly count: number;
  readonly size: number;
  readonly restarts: number;
  readonly pids: readonly number[];
}

/** @param queue the scheduler. @param pool the executors. */
export function gaugesOf(queue: Queue, pool: Executors): Gauges {
  return {
    get queuedSteps() {
      return queue.queuedSteps;
    },
    get queuedBytes() {
      return queue.queuedBytes;
    },
    get queuedStepsByModel() {
      return queue.queuedStepsByModel;
    },
    get executors() {
      return { count: pool.count, ready: pool.size, restarts: pool.restarts };
    },
    get executorPids() {
      return pool.pids;
    },
  };
}
