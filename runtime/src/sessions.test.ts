import { describe, expect, it } from 'vitest';
import { fixtureFiles } from '../fixtures/session.mjs';
import { memorySource, openBundle } from './bundle.js';
import type { Session } from './session.js';
import { sessionsRunner } from './sessions.js';
import { float32, type Tensors } from './tensor.js';

const bundle = await openBundle(memorySource(fixtureFiles('tiny')));
const feeds = { z: float32([1], [1]) };

/** Sessions that note what is done with them. */
function recorder({ fail = false } = {}) {
  const events: string[] = [];
  const state = { fail };
  const openSession = async (_graph: unknown, name: string): Promise<Session> => {
    events.push(`open ${name}`);
    if (state.fail) throw new Error('no memory');
    return {
      run: async (given: Tensors) => {
        events.push(`run ${name}`);
        return given;
      },
      close: async () => {
        events.push(`close ${name}`);
      },
    };
  };
  return { events, state, openSession };
}

describe('sessionsRunner', () => {
  it('opens one session per operation in use, on first use, and closes them all', async () => {
    const { events, openSession } = recorder();
    const runner = sessionsRunner({ bundle, openSession });
    expect(events).toEqual([]);
    await Promise.all([runner.run('decode', feeds), runner.run('decode', feeds)]);
    await runner.run('sample', feeds);
    await runner.close();
    expect(events).toEqual([
      'open decode',
      'run decode',
      'run decode',
      'open sample',
      'run sample',
      'close decode',
      'close sample',
    ]);
    await expect(runner.run('decode', feeds)).rejects.toMatchObject({ reason: 'MODEL_UNAVAILABLE' });
  });

  it('tries again after a session that could not be opened', async () => {
    const { state, openSession } = recorder({ fail: true });
    const runner = sessionsRunner({ bundle, openSession });
    await expect(runner.run('decode', feeds)).rejects.toThrow('no memory');
    state.fail = false;
    expect(await runner.run('decode', feeds)).toEqual(feeds);
  });

  it('does not start what was cancelled while it waited', async () => {
    const { events, openSession } = recorder();
    const runner = sessionsRunner({ bundle, openSession });
    const controller = new AbortController();
    const waiting = runner.run('decode', feeds, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ reason: 'CANCELLED' });
    expect(events).not.toContain('run decode');
  });

  it('sizes steps by the cost of a row, between 1 and 64', async () => {
    const withCost = (macs: number) => ({
      ...bundle,
      manifest: {
        ...bundle.manifest,
        operations: bundle.manifest.operations.map(operation => ({ ...operation, cost: { parameters: 0, macs } })),
      },
    });
    const { openSession } = recorder();
    const rows = (macs: number) => sessionsRunner({ bundle: withCost(macs), openSession }).rowsPerStep('sample#0');
    expect([0, 1e6, 1e8, 1e12].map(rows)).toEqual([64, 64, 10, 1]);
  });
});
