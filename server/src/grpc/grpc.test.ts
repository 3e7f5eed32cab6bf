// What gRPC has of its own: streams, deadlines, cancellation, health.
import { generator, health } from '@genserve/proto/wire';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collect, readFailure, type Serving, serve } from '../../fixtures/serving.js';

let serving: Serving;
beforeAll(async () => {
  serving = await serve({ batching: { maxRows: 16 }, queue: { maxSteps: 1 } });
});
afterAll(() => serving.close());

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = health.HealthCheckResponse_ServingStatus;
const request = (fields: Partial<generator.SampleRequest>) =>
  generator.SampleRequest.fromPartial({ model: 'tiny', ...fields });

/** Work that waits: the executor is stopped meanwhile. */
async function whileStopped<Result>(work: () => Promise<Result>): Promise<Result> {
  const [pid = 0] = serving.server.executors;
  process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    process.kill(pid, 'SIGCONT');
    await eventually(async () => (await attempt(0)).reason).toBe('done');
  }
}

/** On a busy machine calls and their ends arrive when they arrive. */
const eventually = <Result>(work: () => Promise<Result>) => expect.poll(work, { timeout: 20_000, interval: 100 });

/** What became of a call after a while. */
async function attempt(seed: number) {
  const call = serving.client.sample(request({ seed }));
  const outcome = collect(call).then(
    () => ({ reason: 'done' as const, retryAfterMs: undefined }),
    error => readFailure(error as ServiceError),
  );
  const waiting = new Promise<{ reason: 'waiting'; retryAfterMs: undefined }>(resolve => {
    setTimeout(() => resolve({ reason: 'waiting', retryAfterMs: undefined }), 300);
  });
  return { call, ...(await Promise.race([outcome, waiting])) };
}

const failureOf = (stream: AsyncIterable<unknown>) =>
  collect(stream).then(
    () => {
      throw new Error('the call did not fail');
    },
    error => readFailure(error as ServiceError),
  );

test('a large request streams in parts, in order of index, under one seed', async () => {
  const parts = await collect(serving.client.sample(request({ count: 100, firstIndex: 5 })));
  expect(parts.length).toBeGreaterThan(1);
  let next = 5;
  for (const part of parts) {
    expect(part.firstIndex).toBe(next);
    expect(part.seed).toBe(parts[0]?.seed);
    next += part.samples?.shape[0] ?? 0;
  }
  expect(next).toBe(105);
});

test('a deadline that passes is DEADLINE_EXCEEDED', async () => {
  const failure = await whileStopped(() =>
    failureOf(serving.client.sample(request({}), new Metadata(), { deadline: Date.now() + 200 })),
  );
  expect(failure.code).toBe(4);
});

test('a full queue refuses with a time to come back; a cancelled call leaves it: the next one finds room', async () => {
  await whileStopped(async () => {
    const running = await attempt(1);
    // An executor is sent the next batch before it has ended the first.
    const sent = await attempt(2);
    const waiting = await attempt(3);
    expect([running.reason, sent.reason, waiting.reason]).toEqual(['waiting', 'waiting', 'waiting']);
    const refused = await attempt(4);
    expect(refused.reason).toBe('OVERLOADED');
    expect(refused.retryAfterMs).toBeGreaterThanOrEqual(100);
    const overHttp = await serving.post('/v1/models/tiny:sample', {});
    expect(overHttp.status).toBe(429);
    expect(Number(overHttp.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    waiting.call.cancel();
    let next = refused;
    await eventually(async () => {
      next = await attempt(5);
      return next.reason;
    }).toBe('waiting');
    for (const { call } of [running, sent, next]) call.cancel();
  });
});

test('request ids go back and forth', async () => {
  const metadata = new Metadata();
  metadata.set('x-request-id', 'mine-2');
  const call = serving.client.sample(request({}), metadata);
  const returned = new Promise<Metadata>(resolve => call.on('metadata', resolve));
  await collect(call);
  expect((await returned).get('x-request-id')).toEqual(['mine-2']);
});

test('health: Check answers for the server, its services and its models; Watch tells of changes', async () => {
  const client = new health.HealthClient(`127.0.0.1:${serving.server.grpcPort}`, credentials.createInsecure());
  const check = (service: string) =>
    new Promise((resolve, reject) => {
      client.check({ service }, (error, response) => (error ? reject(error) : resolve(response.status)));
    });
  for (const service of ['', 'genserve.v1.GeneratorService', 'inference.GRPCInferenceService', 'tiny']) {
    expect(await check(service)).toBe(SERVING);
  }
  await expect(check('nothing')).rejects.toMatchObject({ code: 5 });

  const seen: string[] = [];
  const watch = client.watch({ service: '' });
  watch.on('data', ({ status }: health.HealthCheckResponse) => seen.push(status));
  watch.on('error', () => undefined);
  const unknown = client.watch({ service: 'nothing' });
  unknown.on('error', () => undefined);
  const first = await new Promise<health.HealthCheckResponse>(resolve => unknown.once('data', resolve));
  expect(first.status).toBe(SERVICE_UNKNOWN);
  unknown.cancel();
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual([SERVING]);
  void serving.server.close();
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual([SERVING, NOT_SERVING]);
  watch.cancel();
  client.close();
});
