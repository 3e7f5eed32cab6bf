import { describe, expect, it } from 'vitest';
import { GenserveError } from './errors.js';
import { encodeFrame, FrameReader } from './frames.js';
import { ExecutorClient, type ExecutorReply, type ExecutorRequest, executorHost, transferList } from './protocol.js';
import type { Session } from './session.js';
import { float32, type Tensors } from './tensor.js';

/** A session that doubles x, and counts how many runs overlap. */
function doubler(log: string[] = []): Session {
  let running = 0;
  return {
    async run({ x }: Tensors) {
      if (running++ > 0) log.push('overlap');
      await new Promise<void>(resolve => setTimeout(resolve, 1));
      running--;
      if (x!.data[0] === 13) throw new GenserveError('OUT_OF_MEMORY', 'no room');
      return {
        y: float32(
          x!.shape,
          x!.data.map(value => value * 2),
        ),
      };
    },
    async close() {
      log.push('closed');
    },
  };
}

/** Both ends, joined by frames as on a socket. */
function joined(log: string[] = []) {
  const host = executorHost<{ file: string }>(async ({ file }) => {
    if (file === 'missing') throw new GenserveError('ASSET_UNREACHABLE', 'there is no such file');
    return doubler(log);
  });
  const [there, back] = [new FrameReader(), new FrameReader()];
  const client = new ExecutorClient<{ file: string }>(request => {
    for (const message of there.push(encodeFrame(request)))
      void host(message as ExecutorRequest<{ file: string }>).then(reply => {
        for (const answer of back.push(encodeFrame(reply))) client.receive(answer as ExecutorReply);
      });
  });
  return client;
}

const x = (value: number) => ({ x: float32([1], [value]) });

describe('executor protocol', () => {
  it('loads, runs, answers pings and unloads', async () => {
    const log: string[] = [];
    const client = joined(log);
    await client.request({ kind: 'ping' });
    await client.request({ kind: 'load', session: 's', load: { file: 'a.onnx' } });
    const reply = await client.request({ kind: 'run', session: 's', feeds: x(4) });
    expect(reply.outputs).toEqual({ y: float32([1], [8]) });
    expect(reply.timings.tookMs).toBeGreaterThan(0);
    await client.request({ kind: 'unload', session: 's' });
    expect(log).toEqual(['closed']);
    expect(client.inFlight).toBe(0);
  });

  it('carries out one request at a time and gives each caller its own answer', async () => {
    const log: string[] = [];
    const client = joined(log);
    await client.request({ kind: 'load', session: 's', load: { file: 'a.onnx' } });
    const replies = await Promise.all([1, 2, 3].map(i => client.request({ kind: 'run', session: 's', feeds: x(i) })));
    expect(replies.map(reply => reply.outputs?.y?.data[0])).toEqual([2, 4, 6]);
    expect(log).toEqual([]);
  });

  it('carries errors with their reason, and goes on after them', async () => {
    const client = joined();
    const load = client.request({ kind: 'load', session: 'm', load: { file: 'missing' } });
    await expect(load).rejects.toMatchObject({ reason: 'ASSET_UNREACHABLE' });
    const early = client.request({ kind: 'run', session: 's', feeds: x(1) });
    await expect(early).rejects.toMatchObject({ reason: 'MODEL_UNAVAILABLE' });
    await client.request({ kind: 'load', session: 's', load: { file: 'a.onnx' } });
    const failed = client.request({ kind: 'run', session: 's', feeds: x(13) });
    await expect(failed).rejects.toMatchObject({ reason: 'OUT_OF_MEMORY', message: 'no room' });
    const after = await client.request({ kind: 'run', session: 's', feeds: x(1) });
    expect(after.outputs?.y?.data[0]).toBe(2);
  });

  it('rejects what waits, and what comes later, when the executor is lost', async () => {
    const client = new ExecutorClient<never>(() => undefined);
    const waiting = client.request({ kind: 'ping' });
    client.fail(new GenserveError('EXECUTOR_LOST', 'the process ended'));
    await expect(waiting).rejects.toMatchObject({ reason: 'EXECUTOR_LOST' });
    await expect(client.request({ kind: 'ping' })).rejects.toMatchObject({ reason: 'EXECUTOR_LOST' });
  });

  it('rejects a request that cannot be sent', async () => {
    const client = new ExecutorClient<never>(() => {
      throw new Error('the port is closed');
    });
    await expect(client.request({ kind: 'ping' })).rejects.toMatchObject({ message: 'the port is closed' });
    expect(client.inFlight).toBe(0);
  });

  it('lists each buffer once for transfer', () => {
    const shared = float32([1], [1]);
    expect(transferList({ a: shared, b: shared })).toEqual([shared.data.buffer]);
  });
});
