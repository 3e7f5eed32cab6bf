// What an operator sees: metrics by phase, traces below the caller's, the log, and the status page's figures.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generator } from '@genserve/proto/wire';
import { Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect, type Serving, serve } from '../../fixtures/serving.js';

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { key: string; value: { stringValue?: string } }[];
}

/** A collector that keeps what it is sent (OTLP over HTTP, in JSON). */
const spans: OtlpSpan[] = [];
const collector = createServer(async (request: IncomingMessage, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString());
  for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans);
  response.end('{}');
});

let serving: Serving;
beforeAll(async () => {
  await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve));
  const { port } = collector.address() as AddressInfo; // it listens on TCP
  serving = await serve({ telemetry: { logLevel: 'error', traces: `http://127.0.0.1:${port}/v1/traces` } });
});
afterAll(async () => {
  await serving.close();
  collector.close();
});

/** Values of one metric by its labels. */
async function metric(name: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${serving.url}/metrics`)).text();
  const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map(line => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
  );
}

const sample = (headers: Record<string, string> = {}) => serving.post('/v1/models/tiny:sample', { count: 3 }, headers);

describe('metrics', () => {
  test('have a histogram of each phase, batches with their rows and closings, and requests by method and outcome', async () => {
    const before =
      (await metric('genserve_step_phase_seconds_count'))['{model="tiny",operation="sample",phase="compute"}'] ?? 0;
    await sample();
    await collect(serving.client.sample(generator.SampleRequest.fromPartial({ model: 'tiny' })));
    await serving.post('/v1/models/tiny:sample', { count: -1 });
    const phases = await metric('genserve_step_phase_seconds_count');
    for (const phase of ['queue', 'batch', 'compute']) {
      expect(phases[`{model="tiny",operation="sample",phase="${phase}"}`]).toBe(before + 2);
    }
    expect((await metric('genserve_batch_rows_sum'))['{model="tiny",operation="sample"}']).toBeGreaterThanOrEqual(4);
    const closings = await metric('genserve_batches_total');
    expect(Object.keys(closings).some(labels => labels.includes('operation="sample",closing='))).toBe(true);
    const requests = await metric('genserve_request_seconds_count');
    expect(requests['{transport="http",method="Sample",reason="OK"}']).toBe(1);
    expect(requests['{transport="http",method="Sample",reason="INVALID_ARGUMENT"}']).toBe(1);
    expect(requests['{transport="grpc",method="/genserve.v1.GeneratorService/Sample",reason="OK"}']).toBe(1);
    expect((await metric('genserve_request_encode_seconds_count'))['{transport="http",method="Sample"}']).toBe(1);
  });

  test('tell what waits, the executors, their memory and their restarts', async () => {
    expect((await metric('genserve_queued_steps'))['']).toBe(0);
    expect((await metric('genserve_executors'))['']).toBe(1);
    expect((await metric('genserve_executors_resident_bytes'))['']).toBeGreaterThan(10 * 2 ** 20);
    const [pid = 0] = serving.server.executors;
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await metric('genserve_executor_restarts'))[''], { timeout: 20_000 }).toBe(1);
    await expect.poll(async () => (await metric('genserve_executors_ready'))[''], { timeout: 20_000 }).toBe(1);
  });

  test('have few series: paths that do not exist and models that do not add none', async () => {
    const series = async () => Object.keys(await metric('genserve_request_seconds_count')).length;
    await fetch(`${serving.url}/nowhere/0`);
    await serving.post('/v1/models/none-0:sample', {});
    const before = await series();
    for (let i = 1; i < 20; i++) {
      await fetch(`${serving.url}/nowhere/${i}`);
      await serving.post(`/v1/models/none-${i}:sample`, {});
    }
    expect(await series()).toBe(before);
  });
});

describe('traces', () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const traceparent = (span: string) => `00-${traceId}-${span}-01`;
  const eventually = <Result>(work: () => Result) => expect.poll(work, { timeout: 20_000, interval: 200 });

  test.each([
    ['http', 'Sample', 'b7ad6b7169203331'],
    ['grpc', '/genserve.v1.GeneratorService/Sample', 'b7ad6b7169203332'],
  ])(
    "%s: the request is a child of its caller's span; its steps and their phases are below it",
    async (transport, name, parent) => {
      if (transport === 'http') await sample({ traceparent: traceparent(parent) });
      else {
        const metadata = new Metadata();
        metadata.set('traceparent', traceparent(parent));
        await collect(serving.client.sample(generator.SampleRequest.fromPartial({ model: 'tiny' }), metadata));
      }
      const childrenOf = (id: string | undefined) =>
        spans.filter(span => span.parentSpanId === id && span.traceId === traceId);
      await eventually(() => childrenOf(parent).length).toBe(1);
      const [request] = childrenOf(parent);
      expect(request?.name).toBe(name);
      const [step] = childrenOf(request?.spanId);
      expect(step?.name).toBe('step');
      expect(step?.attributes).toContainEqual({ key: 'genserve.model', value: { stringValue: 'tiny' } });
      const phases = childrenOf(step?.spanId);
      expect(phases.map(phase => phase.name)).toEqual(['queue', 'batch', 'compute']);
      for (const phase of phases) {
        expect(BigInt(phase.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(phase.startTimeUnixNano));
      }
    },
  );

  test('a header that is no trace context begins a trace of its own', async () => {
    const before = spans.length;
    expect((await sample({ traceparent: 'nonsense' })).status).toBe(200);
    await eventually(() => spans.length).toBeGreaterThan(before);
    expect(spans.slice(before).every(span => span.traceId !== traceId)).toBe(true);
  });
});

test('the status page shows what /status.json says: models, executors, memory, work', async () => {
  await sample();
  const status = (await (await fetch(`${serving.url}/status.json`)).json()) as Record<string, unknown>;
  expect(status).toMatchObject({
    executors: { count: 1 },
    queue: { steps: 0, bytes: 0 },
    models: expect.arrayContaining([{ name: 'tiny', version: 1, state: 'ready', reason: '' }]),
    statistics: expect.arrayContaining([expect.objectContaining({ name: 'tiny.sample' })]),
  });
  const page = await fetch(`${serving.url}/status`);
  expect(page.headers.get('content-type')).toContain('text/html');
  expect((await fetch(`${serving.url}/status.js`)).headers.get('content-type')).toContain('text/javascript');
});
