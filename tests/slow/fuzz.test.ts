// Every route and every message, made wrong 10,000 times.
import { expect, it } from 'vitest';
import { fuzz } from '../conformance/fuzz.js';
import { record } from '../support/results.js';

const seed = 20_261_124;

it('10,000 mutated requests: no crash, no unexplained 5xx, no memory that stays', async () => {
  const { requests, failures, outcomes, frontGrowthBytes } = await fuzz(10_000, seed);
  const metrics = {
    'fuzz.requests': requests,
    'fuzz.failures': failures.length,
    'fuzz.front_growth_mib': frontGrowthBytes / 2 ** 20,
  };
  record('fuzz', 'npm run test:slow fuzz', metrics, { seed, outcomes });
  expect(failures).toEqual([]);
  expect(frontGrowthBytes).toBeLessThan(100 * 2 ** 20);
});
