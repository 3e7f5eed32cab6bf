// Three times what an executor can do, on a clock of its own: what is accepted waits no longer than the limit says.
import { fillNoise, GenserveError, type Operation, type Tensors } from '@genserve/runtime';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CostModel } from './cost-model.js';
import { type Backend, Scheduler } from './scheduler.js';
import type { Schedulable } from './step.js';

const operation: Operation = {
  name: 'draw',
  file: 'draw.onnx',
  inputs: [{ name: 'noise', dtype: 'float32', shape: [0, 1], role: 'noise' }],
  outputs: [{ name: 'x', dtype: 'float32', shape: [0, 1], role: 'data' }],
  cost: undefined,
  members: [],
};

const limitMs = 1250;
const rows = 16;
/** As Gated PixelCNN on one core. */
const runMs = (count: number) => 31 + 2.45 * count;
const quietMs = runMs(rows);
const capacityPerSecond = 1000 / ((rows / 64) * runMs(64));

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** One executor; `factors` are what its runs take of what they should. */
function backendWith(factors: Float32Array): Backend<Schedulable> {
  let freeAt = 0;
  let runs = 0;
  return {
    size: 1,
    onReady: () => {},
    async run(_model, _operation, { noise }: Tensors) {
      const count = noise?.shape[0] ?? 0;
      const milliseconds = runMs(count) * (0.9 + 0.2 * (factors[runs++ % factors.length] ?? 0));
      freeAt = Math.max(freeAt, performance.now()) + milliseconds;
      await new Promise(resolve => setTimeout(resolve, freeAt - performance.now()));
      return {
        outputs: { x: { dtype: 'float32', shape: [count, 1], data: new Float32Array(count) } },
        milliseconds,
        transportMs: 1,
      };
    },
  };
}

test('the latency of accepted requests is bounded by the limit and their own run, and the executor never idles', async () => {
  const uniforms = (name: string, count: number) =>
    fillNoise({ seed: 1, name, distribution: 'uniform', shape: [count] });
  const cost = new CostModel();
  for (const count of [1, 8, 32]) cost.observe(count, runMs(count));
  const model: Schedulable = {
    name: 'a',
    version: 1,
    key: 'a/1#1',
    operation: () => operation,
    costs: new Map([['draw', cost]]),
  };
  const scheduler = new Scheduler(backendWith(uniforms('speed', 1000)), {
    maxRows: 256,
    maxDelayMs: 5,
    stepMs: 250,
    maxQueuedSteps: 1024,
    maxQueuedBytes: 1e9,
    maxWaitMs: limitMs,
    patienceMs: 60_000,
  });
  const latencies: number[] = [];
  let refused = 0;
  const ask = async () => {
    const start = performance.now();
    try {
      const noise = { dtype: 'float32', shape: [rows, 1], data: new Float32Array(rows) } as const;
      await scheduler.runnerFor(model, { signal: new AbortController().signal }).run('draw', { noise });
      latencies.push(performance.now() - start);
    } catch (error) {
      if (GenserveError.from(error).reason !== 'OVERLOADED') throw error;
      refused += 1;
    }
  };
  const seconds = 30;
  const asked: Promise<void>[] = [];
  for (const uniform of uniforms('arrivals', Math.round(3 * capacityPerSecond * seconds))) {
    await vi.advanceTimersByTimeAsync(-Math.log(uniform) * (1000 / (3 * capacityPerSecond)));
    asked.push(ask());
  }
  const answeredInTime = latencies.length;
  await vi.advanceTimersByTimeAsync(5000);
  await Promise.all(asked);
  const p99 = latencies.sort((a, b) => a - b)[Math.floor(0.99 * latencies.length)] ?? Number.NaN;
  expect(p99).toBeLessThan(1.1 * (limitMs + quietMs));
  expect(answeredInTime / seconds).toBeGreaterThan(0.9 * capacityPerSecond);
  expect(refused).toBeGreaterThan(asked.length / 2);
});
