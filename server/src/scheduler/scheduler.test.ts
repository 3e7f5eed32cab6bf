import { GenserveError, type Operation, type Tensor, type Tensors } from '@genserve/runtime';
import { expect, test } from 'vitest';
import type { CostModel } from './cost-model.js';
import { Scheduler, type SchedulerSettings } from './scheduler.js';

const port = (name: string, shape: number[], dtype = 'float32') => ({ name, dtype, shape, role: 'data' });
const double: Operation = {
  name: 'double',
  file: 'double.onnx',
  inputs: [port('x', [0, 2]), port('times', [], 'int32')],
  outputs: [port('y', [0, 2])],
  cost: undefined,
  members: [],
};

class Model {
  readonly costs = new Map<string, CostModel>();
  constructor(readonly key: string) {}
  operation(): Operation {
    return double;
  }
}

/** Computes in this process: y = x * times. Each batch waits to be let go. */
class Hands {
  size = 1;
  readonly batches: { model: string; rows: number }[] = [];
  readonly #waiting: (() => void)[] = [];
  losses = 0;

  onReady(): void {}

  async run({ key }: Model, _operation: Operation, { x, times }: Tensors) {
    const rows = x?.shape[0] ?? 0;
    this.batches.push({ model: key, rows });
    await new Promise<void>(resolve => this.#waiting.push(resolve));
    if (this.losses-- > 0) throw new GenserveError('EXECUTOR_LOST', 'the process died');
    const y: Tensor = {
      dtype: 'float32',
      shape: [rows, 2],
      data: Float32Array.from(x?.data ?? [], value => value * (times?.data[0] ?? 1)),
    };
    return { outputs: { y }, milliseconds: 1 };
  }

  /** Ends the runs that have begun, and those that begin meanwhile, until nothing moves. */
  async letGo(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet++) {
      if (this.#waiting.length > 0) quiet = 0;
      for (const resolve of this.#waiting.splice(0)) resolve();
      await turn();
    }
  }
}

const turn = () => new Promise(resolve => setTimeout(resolve, 1));
const feeds = (rows: number, first: number, times = 2): Tensors => ({
  x: { dtype: 'float32', shape: [rows, 2], data: Float32Array.from({ length: 2 * rows }, (_, i) => first + i) },
  times: { dtype: 'int32', shape: [], data: Int32Array.of(times) },
});
const numbers = async (outputs: Promise<Tensors>) => Array.from((await outputs).y?.data ?? []);

function setUp(settings: Partial<SchedulerSettings> = {}) {
  const hands = new Hands();
  const scheduler = new Scheduler<Model>(hands, {
    maxRows: 8,
    maxDelayMs: 0,
    stepMs: 250,
    maxQueuedSteps: 100,
    maxQueuedBytes: 1e6,
    patienceMs: 50,
    ...settings,
  });
  const model = new Model('a/1');
  /** A request of its own, as every caller has. */
  const ask = (given: Tensors, signal?: AbortSignal) => scheduler.runnerFor(model).run('double', given, { signal });
  return { hands, scheduler, model, ask };
}

test('requests that wait together run together, and each gets its own rows', async () => {
  const { hands, ask } = setUp();
  const first = ask(feeds(1, 0));
  await turn();
  const others = [ask(feeds(2, 10)), ask(feeds(1, 20)), ask(feeds(3, 30))];
  await hands.letGo();
  expect(await numbers(first)).toEqual([0, 2]);
  expect(await Promise.all(others.map(numbers))).toEqual([
    [20, 22, 24, 26],
    [40, 42],
    [60, 62, 64, 66, 68, 70],
  ]);
  expect(hands.batches.map(({ rows }) => rows)).toEqual([1, 6]);
});

test('other scalars, shapes or models never share a run', async () => {
  const { hands, scheduler, ask } = setUp();
  const blocker = ask(feeds(1, 0));
  await turn();
  const twice = ask(feeds(1, 1, 2));
  const thrice = ask(feeds(1, 1, 3));
  const elsewhere = scheduler.runnerFor(new Model('b/1')).run('double', feeds(1, 1, 2));
  await hands.letGo();
  await blocker;
  expect(await numbers(twice)).toEqual([2, 4]);
  expect(await numbers(thrice)).toEqual([3, 6]);
  expect(await numbers(elsewhere)).toEqual([2, 4]);
  expect(hands.batches.map(({ model }) => model)).toEqual(['a/1', 'a/1', 'a/1', 'b/1']);
});

test('a batch holds no more rows than a step, and what is left comes next', async () => {
  const { hands, ask } = setUp({ maxRows: 4 });
  const answers = [ask(feeds(3, 0)), ask(feeds(3, 10)), ask(feeds(1, 20))];
  await hands.letGo();
  await Promise.all(answers);
  expect(hands.batches.map(({ rows }) => rows)).toEqual([4, 3]);
});

test('a cancelled request leaves the queue at once and its companions are served', async () => {
  const { hands, scheduler, ask } = setUp();
  const blocker = ask(feeds(1, 0));
  await turn();
  const controller = new AbortController();
  const cancelled = ask(feeds(1, 1), controller.signal);
  const companion = ask(feeds(1, 5));
  await turn();
  controller.abort();
  await expect(cancelled).rejects.toMatchObject({ reason: 'CANCELLED' });
  expect(scheduler.queuedSteps).toBe(1);
  await hands.letGo();
  await blocker;
  expect(await numbers(companion)).toEqual([10, 12]);
});

test('a request cancelled while it runs ends at once, with the reason of its signal', async () => {
  const { hands, ask } = setUp();
  const controller = new AbortController();
  const running = ask(feeds(1, 0), controller.signal);
  const companion = ask(feeds(1, 3));
  await turn();
  controller.abort(new GenserveError('DEADLINE_EXCEEDED', 'too late'));
  await expect(running).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  await hands.letGo();
  expect(await numbers(companion)).toEqual([6, 8]);
});

test('a full queue refuses new requests with a time to come back, and lets accepted ones go on', async () => {
  const { hands, scheduler, model, ask } = setUp({ maxQueuedSteps: 2 });
  const accepted = scheduler.runnerFor(model);
  const firstStep = accepted.run('double', feeds(8, 0));
  await turn();
  const waiting = [ask(feeds(8, 1)), ask(feeds(8, 2))];
  await expect(ask(feeds(1, 3))).rejects.toMatchObject({
    reason: 'OVERLOADED',
    retryAfterMs: expect.any(Number),
  });
  const secondStep = accepted.run('double', feeds(8, 4));
  await hands.letGo();
  await Promise.all([firstStep, secondStep, ...waiting]);
  const later = ask(feeds(1, 3));
  await hands.letGo();
  expect(await numbers(later)).toEqual([6, 8]);
});

test('the queue is bounded in bytes', async () => {
  const { hands, ask } = setUp({ maxQueuedBytes: 100 });
  const blocker = ask(feeds(8, 0));
  await turn();
  const waiting = ask(feeds(8, 0));
  await expect(ask(feeds(8, 0))).rejects.toMatchObject({ reason: 'OVERLOADED' });
  await expect(ask(feeds(20, 0))).rejects.toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
  await hands.letGo();
  await Promise.all([blocker, waiting]);
});

test('a step whose executor died runs once more, by itself', async () => {
  const { hands, ask } = setUp();
  hands.losses = 1;
  const answers = [ask(feeds(1, 0)), ask(feeds(1, 5))];
  await hands.letGo();
  expect(await Promise.all(answers.map(numbers))).toEqual([
    [0, 2],
    [10, 12],
  ]);
  expect(hands.batches.map(({ rows }) => rows)).toEqual([2, 1, 1]);
});

test('a step that lost two executors fails', async () => {
  const { hands, ask } = setUp();
  hands.losses = 2;
  const answer = ask(feeds(1, 0));
  const failure = expect(answer).rejects.toMatchObject({ reason: 'EXECUTOR_LOST' });
  await hands.letGo();
  await failure;
});

test('a large request and a small one take turns', async () => {
  const { hands, scheduler, model, ask } = setUp({ maxRows: 4 });
  const large = scheduler.runnerFor(model);
  const done: string[] = [];
  const steps = (async () => {
    for (let step = 0; step < 4; step++) await large.run('double', feeds(4, step));
    done.push('large');
  })();
  await turn();
  const small = ask(feeds(1, 0)).then(() => done.push('small'));
  await hands.letGo();
  await Promise.all([steps, small]);
  expect(done).toEqual(['small', 'large']);
});

test('while no executor is there, steps wait a bounded time', async () => {
  const { hands, scheduler, ask } = setUp();
  hands.size = 0;
  await expect(ask(feeds(1, 0))).rejects.toMatchObject({ reason: 'EXECUTOR_LOST' });
  expect(scheduler.queuedSteps).toBe(0);
  expect(hands.batches).toEqual([]);
});
