import { float32, type Session, type Tensors } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { createSession } from '../engine/session.js';
import { allImages, tinyVae } from '../testing/tiny-vae.js';
import { exportOperations } from '../trace/operations.js';
import { joinGraphs } from './joint-graph.js';
import { jointSessions } from './joint-sessions.js';
import { operationProgram } from './operation-program.js';

const { model, variables, state } = tinyVae();
const { operations, weights } = exportOperations(
  model.operations.map(operation => operationProgram(operation, variables)),
  state,
);
const graph = (name: string) => operations.find(operation => operation.name === name)!.model;
const feeds = (draw: number): Tensors => ({
  x: allImages(),
  epsilon: float32(
    [16, 1],
    Array.from({ length: 16 }, (_, row) => Math.sin(row + draw)),
  ),
});

/** Counts its runs. */
async function counted(bytes: Uint8Array): Promise<Session & { runs: number }> {
  const session = await createSession(bytes, { weights: weights.length > 0 ? weights : undefined, threads: 1 });
  const result = {
    runs: 0,
    run: (given: Tensors) => {
      result.runs++;
      return session.run(given);
    },
    close: () => session.close(),
  };
  return result;
}

describe('a joint graph', () => {
  it('gives bit for bit what its two graphs give', async () => {
    const joint = await counted(joinGraphs(graph('log_prob'), graph('log_prob_map'))!);
    const [first, second] = [await counted(graph('log_prob')), await counted(graph('log_prob_map'))];
    const found = await joint.run(feeds(0));
    expect(found.log_prob).toEqual((await first.run(feeds(0))).log_prob);
    expect(found.map).toEqual((await second.run(feeds(0))).map);
    for (const session of [joint, first, second]) await session.close();
  });
});

describe('joint sessions', () => {
  it('run once for both on equal feeds, and the second by itself on others', async () => {
    const joint = await counted(joinGraphs(graph('log_prob'), graph('log_prob_map'))!);
    const alone = await counted(graph('log_prob_map'));
    const { first, second } = jointSessions(joint, async () => alone);
    for (const draw of [0, 1, 2]) await first.run(feeds(draw));
    const expected = await Promise.all([1, 2, 3].map(async draw => (await alone.run(feeds(draw))).map));
    alone.runs = 0;
    // The first draw is never asked for.
    for (const draw of [1, 2, 3]) expect((await second.run(feeds(draw))).map).toEqual(expected[draw - 1]);
    expect([joint.runs, alone.runs]).toEqual([3, 1]);
    await first.close();
    await second.close();
  });
});
