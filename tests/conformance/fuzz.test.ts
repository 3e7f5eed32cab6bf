// A reduced fuzzing of every route and message; `npm run test:slow fuzz` sends 10,000.
import { expect, it } from 'vitest';
import { fuzz } from './fuzz.js';

it('600 mutated requests: no crash, no unexplained 5xx, nothing of the machine in an answer', async () => {
  const { requests, failures, outcomes } = await fuzz(600, 20_261_124);
  expect(failures).toEqual([]);
  expect(requests).toBe(600);
  // It reaches past the front door: some are answered, some are refused.
  expect(outcomes['HTTP 200']).toBeGreaterThan(20);
  expect(outcomes['HTTP 400']).toBeGreaterThan(30);
  expect(outcomes['gRPC 0']).toBeGreaterThan(20);
  expect(outcomes['gRPC 3']).toBeGreaterThan(20);
});
