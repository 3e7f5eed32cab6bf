import { afterAll, describe, expect, it } from 'vitest';
import { fixtureFiles, openSession } from '../fixtures/session.mjs';
import { memorySource, openBundle } from './bundle.js';
import { checkGolden, goldenFeeds, goldenValues } from './golden.js';
import { findOperation } from './manifest.js';
import type { Runner } from './session.js';
import { sessionsRunner } from './sessions.js';

const bundle = await openBundle(memorySource(fixtureFiles('tiny')));
const { manifest } = bundle;
const runner = sessionsRunner({ bundle, openSession });
afterAll(() => runner.close());
const request = { seed: 5, batch: 2, length: 16 };

describe('golden values', () => {
  it('come from all over the output: both rows, and one column no more than another', async () => {
    const { x } = await goldenValues(runner, manifest, 'sample', request);
    expect(x!.values.length).toBe(16);
    const positions = x!.values.map((_, i) => i * x!.stride);
    expect(positions.at(-1)).toBeGreaterThan(0.9 * 2 * 256);
    expect(new Set(positions.map(position => position % 16)).size).toBe(16);
    const whole = (await runner.run('sample', goldenFeeds(manifest, findOperation(manifest, 'sample'), 5, 2))).x!;
    expect(x!.values).toEqual(positions.map(position => whole.data[position]));
  });

  it('are all there is of a small output', async () => {
    const { log_prob } = await goldenValues(runner, manifest, 'log_prob', request);
    expect(log_prob).toEqual({ values: [expect.any(Number), expect.any(Number)], stride: 1 });
  });

  it('are found again by their stride, and show a change beyond the first elements', async () => {
    const { values, stride } = (await goldenValues(runner, manifest, 'sample', request)).x!;
    const golden = { operation: 'sample', seed: 5, batch: 2, output: 'x', values, stride, tolerance: 1e-4 };
    const recorded = { ...manifest, golden: [golden] };
    expect(await checkGolden(runner, recorded)).toEqual([{ golden, difference: 0, passed: true }]);

    const altered: Runner = {
      ...runner,
      run: async (name, feeds, options) => {
        const outputs = await runner.run(name, feeds, options);
        outputs.x!.data[10 * stride]! += 0.01;
        return outputs;
      },
    };
    expect(await checkGolden(altered, recorded)).toMatchObject([{ passed: false }]);
  });
});
