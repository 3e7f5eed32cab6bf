// Cached sampling at full size beside a full forward pass for each pixel; and images per second of every shipped model.
import { expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { record } from '../support/results.js';

/** By batch, 1 to 256: what was published (Ramachandran et al. 2017), and more at batch 1. */
const bars = { 1: 10, 2: 4, 4: 6, 8: 10, 16: 18, 32: 33, 64: 61, 128: 109, 256: 183 };

it('draws faster with caches by what was published, at every batch', async () => {
  const command = ['bench', 'sample'];
  const { metrics, context } = await genserve(command);
  record('bench-sample', `genserve ${command.join(' ')}`, metrics, context);
  for (const [batch, bar] of Object.entries(bars))
    expect(metrics[`sample.gated-pixelcnn.speedup.b${batch}`], `batch ${batch}`).toBeGreaterThanOrEqual(bar);
});
