import { GenserveError, type Operation, type Tensor, type Tensors } from '@genserve/runtime';
import { expect, test } from 'vitest';
import type { BatchEvent, StepEvent } from '../observer.js';
import type { RequestScope } from '../request-scope.js';
import { CostModel } from './cost-model.js';
import { Scheduler, type SchedulerSettings } from './scheduler.js';

const port = (name: string, shape: number[], dtype = 'float32') => ({ name, dtype, shape, role: 'data' });
const double: Operation = {
  name: 'double',
  file: 'double.onnx',
  inputs: [port('x', [0, 2]), port('times', [], 'int32')],
  outputs: [port('y', [0, 2]), { ...port('memory', [0, 1]), role: 'state' }],
  cost: undefined,
  members: [],
};

/** Milliseconds of a run, nearly all of them fixed. */
const costMs = (rows: number) => 99 + rows;

class Model {
  readonly version = 1;
  readonly costs = new Map<string, CostModel>();
  constructor(
    readonly name: string,
    readonly milliseconds = costMs,
  ) {
    const cost = new CostModel();
    for (const rows of [1, 8]) cost.observe(rows, milliseconds(rows));
    this.costs.set('double', cost);
  }
  get key() {
    return `${this.name}/1#1`;
  }
  operation(): Operation {
    return double;
  }
}

/** Computes in this process: y = x * times. Each batch waits to be let go. */
class Hands {
  size = 1;
  readonly batches: { model: string; rows: number }[] = [];
  readonly wanted: (readonly string[])[] = [];
  readonly #waiting: (() => void)[] = [];
  losses = 0;

  onReady(): void {}

  async run(
    { key, milliseconds }: Model,
    _operation: string,
    { x, times }: Tensors,
    _expectedMs: number,
    wanted: readonly string[],
  ) {
    const rows = x?.shape[0] ?? 0;
    this.wanted.push(wanted);
    this.batches.push({ model: key, rows });
    await new Promise<void>(resolve => this.#waiting.push(resolve));
    if (this.losses-- > 0) throw new GenserveError('EXECUTOR_LOST', 'the process died');
    const y: Tensor = {
      dtype: 'float32',
      shape: [rows, 2],
      data: Float32Array.from(x?.data ?? [], value => value * (times?.data[0] ?? 1)),
    };
    const memory: Tensor = { dtype: 'float32', shape: [rows, 1], data: new Float32Array(rows) };
    const outputs = Object.fromEntries(Object.entries({ y, memory }).filter(([name]) => wanted.includes(name)));
    return { outputs, milliseconds: milliseconds(rows), transportMs: 0 };
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

const patient = { signal: new AbortController().signal };

function setUp(settings: Partial<SchedulerSettings> = {}, model = new Model('a')) {
  const batches: BatchEvent[] = [];
  const steps: StepEvent[] = [];
  const hands = new Hands();
  const scheduler = new Scheduler<Model>(
    hands,
    {
      maxRows: 8,
      maxDelayMs: 0,
      stepMs: 250,
      maxQueuedSteps: 100,
      maxQueuedBytes: 1e6,
      maxWaitMs: 1e6,
      patienceMs: 50,
      ...settings,
    },
    { onBatch: event => batches.push(event), onStep: event => steps.push(event) },
  );
  /** A request of its own, as every caller has. */
  const ask = async (given: Tensors, scope: Partial<RequestScope> = {}, of = model) =>
    scheduler.runnerFor(of, { ...patient, ...scope }).run('double', given);
  return { hands, scheduler, model, ask, batches, steps };
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

test('an executor hands on what is wanted: the state that a run ends with only where somebody asks for it', async () => {
  const { hands, scheduler, model, ask } = setUp();
  const asking = scheduler.runnerFor(model, patient).run('double', feeds(1, 5), { outputs: ['memory'] });
  const answers = [ask(feeds(1, 0)), asking];
  await hands.letGo();
  const [plain, asked] = await Promise.all(answers);
  expect(plain?.y?.data).toEqual(Float32Array.of(0, 2));
  expect(asked?.memory?.data).toHaveLength(1);
  const alone = ask(feeds(1, 1));
  await hands.letGo();
  expect(Object.keys(await alone)).toEqual(['y']);
  expect(hands.wanted).toEqual([['y', 'memory'], ['y']]);
});

test('other scalars, shapes or models never share a run', async () => {
  const { hands, ask } = setUp();
  const blocker = ask(feeds(1, 0));
  await turn();
  const twice = ask(feeds(1, 1, 2));
  const thrice = ask(feeds(1, 1, 3));
  const elsewhere = ask(feeds(1, 1, 2), {}, new Model('b'));
  await hands.letGo();
  await blocker;
  expect(await numbers(twice)).toEqual([2, 4]);
  expect(await numbers(thrice)).toEqual([3, 6]);
  expect(await numbers(elsewhere)).toEqual([2, 4]);
  expect(hands.batches.map(({ model }) => model)).toEqual(['a/1#1', 'a/1#1', 'a/1#1', 'b/1#1']);
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
  const cancelled = ask(feeds(1, 1), { signal: controller.signal });
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
  const running = ask(feeds(1, 0), { signal: controller.signal });
  const companion = ask(feeds(1, 3));
  await turn();
  controller.abort(new GenserveError('DEADLINE_EXCEEDED', 'too late'));
  await expect(running).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  await hands.letGo();
  expect(await numbers(companion)).toEqual([6, 8]);
});

test('a full queue refuses new requests with a time to come back, and lets accepted ones go on', async () => {
  const { hands, scheduler, model, ask } = setUp({ maxQueuedSteps: 2 });
  const accepted = scheduler.runnerFor(model, patient);
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
  const large = scheduler.runnerFor(model, patient);
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

test('the predicted wait counts what an executor spends on each run besides computing', async () => {
  const { hands, scheduler, model, ask } = setUp({ maxWaitMs: 1000 });
  const taken = [0, 1, 2, 3, 4].map(first => ask(feeds(8, first)));
  await turn();
  expect(() => scheduler.runnerFor(model, patient)).not.toThrow();
  for (let run = 0; run < 50; run++) model.costs.get('double')!.observeTransport(200);
  expect(() => scheduler.runnerFor(model, patient)).toThrow(expect.objectContaining({ reason: 'OVERLOADED' }));
  await hands.letGo();
  await Promise.all(taken);
});

test('a request whose predicted wait is too long is refused before anything is done for it', async () => {
  const { hands, scheduler, model, ask } = setUp({ maxWaitMs: 600 });
  const taken = [0, 1, 2, 3, 4].map(first => ask(feeds(8, first)));
  await turn();
  expect(() => scheduler.runnerFor(model, patient)).toThrow(
    expect.objectContaining({ reason: 'OVERLOADED', retryAfterMs: expect.closeTo(642, -2) }),
  );
  await hands.letGo();
  await Promise.all(taken);
  expect(() => scheduler.runnerFor(model, patient)).not.toThrow();
});

test('a request that could only be answered past its deadline is refused', async () => {
  const { hands, scheduler, model, ask } = setUp();
  const taken = [0, 1, 2, 3, 4].map(first => ask(feeds(8, first)));
  await turn();
  expect(() => scheduler.runnerFor(model, { ...patient, deadline: performance.now() + 50 })).toThrow(
    /past its deadline/,
  );
  await hands.letGo();
  await Promise.all(taken);
});

test('a step whose deadline has passed while it waited does not run, though its timer has not fired', async () => {
  const { hands, ask } = setUp();
  hands.size = 0;
  const late = ask(feeds(1, 1), { deadline: performance.now() + 5 });
  const failure = expect(late).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  await new Promise(resolve => setTimeout(resolve, 10));
  hands.size = 1;
  const other = ask(feeds(1, 0));
  await hands.letGo();
  await Promise.all([other, failure]);
  expect(hands.batches.map(({ rows }) => rows)).toEqual([1]);
});

test('higher priorities go first', async () => {
  const { hands, ask } = setUp({ maxRows: 1 });
  const blocker = ask(feeds(1, 0));
  await turn();
  const done: string[] = [];
  const answers = (['low', 'normal', 'high'] as const).map(priority =>
    ask(feeds(1, 0), { priority }).then(() => done.push(priority)),
  );
  await hands.letGo();
  await Promise.all([blocker, ...answers]);
  expect(done).toEqual(['high', 'normal', 'low']);
});

test('an executor is sent its next batch shortly before a run should end, and no third', async () => {
  const { hands, ask } = setUp({}, new Model('quick', () => 1));
  const answers: Promise<Tensors>[] = [];
  for (let i = 0; i < 3; i++) {
    answers.push(ask(feeds(1, i)));
    await turn();
    await turn();
  }
  expect(hands.batches).toHaveLength(2);
  await hands.letGo();
  await Promise.all(answers);
});

test('where larger batches make rows dearer, callers are not joined into them', async () => {
  const model = new Model('cold', rows => rows * (rows > 2 ? 10 : 5));
  model.costs.get('double')?.observe(2, 10);
  const { hands, ask, batches } = setUp({}, model);
  const answers = [1, 2, 3, 4].map(i => ask(feeds(1, i)));
  await hands.letGo();
  await Promise.all(answers);
  expect(hands.batches.map(({ rows }) => rows)).toEqual([2, 2]);
  expect(batches.map(({ closing }) => closing)).toEqual(['unprofitable', 'idle']);
});

test('observers learn why each batch closed, and how long each step waited and ran', async () => {
  const { hands, ask, batches, steps } = setUp({ maxRows: 2 });
  const own: StepEvent[] = [];
  const answers = [ask(feeds(1, 0), { onStep: step => own.push(step) }), ...[1, 2].map(i => ask(feeds(1, i)))];
  answers.push(ask(feeds(1, 3, 5)));
  await hands.letGo();
  await Promise.all(answers);
  expect(batches.map(({ steps: count, rows, closing }) => ({ count, rows, closing }))).toEqual([
    { count: 2, rows: 2, closing: 'full' },
    { count: 1, rows: 1, closing: 'mixed' },
    { count: 1, rows: 1, closing: 'idle' },
  ]);
  expect(steps).toHaveLength(4);
  expect(own).toEqual([steps[0]]);
  expect(own[0]).toMatchObject({
    model: 'a',
    version: 1,
    operation: 'double',
    rows: 1,
    computeMs: expect.closeTo(101, 3),
  });
  expect(own[0]?.queueMs).toBeGreaterThanOrEqual(0);
});
