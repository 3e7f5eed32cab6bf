// What a server must live through, at full size.
import { expect, it, vi } from 'vitest';
import {
  executors,
  type Figures,
  kills,
  loading,
  memory,
  mixedRequests,
  slowClients,
  termination,
} from '../load/exercises.js';
import { record } from '../support/results.js';

// All of it takes a quarter of an hour: what hangs must not take the night.
vi.setConfig({ testTimeout: 480_000 });

function note(name: string, figures: Figures, context: object): void {
  record(name, 'npm run test:slow serve-load', figures, context);
}

it('answers 20,000 mixed requests as it answers each alone', async () => {
  const figures = await mixedRequests(20_000, 64);
  note('serve-mixed', figures, { requests: 20_000, concurrency: 64 });
  expect(figures.wrong).toBe(0);
});

it('gives no wrong answer while an executor is killed every 2 s for a minute', async () => {
  const figures = await kills(60, 2000);
  note('serve-kills', figures, { seconds: 60, everyMs: 2000, concurrency: 16 });
  expect.soft(figures.wrong).toBe(0);
  expect.soft(figures.slowest_restart_ms).toBeLessThan(2000);
});

it('loses nothing that it accepted at SIGTERM', async () => {
  const figures = await termination(32, 10);
  note('serve-termination', figures, { callers: 32, seconds: 10 });
  expect(figures.lost).toBe(0);
});

it('grows by less than 100 MB over 100 reloads and 100,000 requests', async () => {
  const figures = await memory(100, 100_000);
  note('serve-memory', figures, { reloads: 100, requests: 100_000 });
  expect(figures.growth_mib).toBeLessThan(95.3);
});

it('serves as before beside 1,000 slow clients and 2,000 idle connections', async () => {
  const figures = await slowClients(1000, 2000);
  note(
    'serve-slow-clients',
    { ...figures, ratio: figures.during_ms! / figures.before_ms! },
    { slow: 1000, idle: 2000 },
  );
  expect(figures.during_ms).toBeLessThan(2 * figures.before_ms! + 5);
});

it('does not slow other models by more than 20 % while one is loaded', async () => {
  const figures = await loading(20);
  note('serve-loading', figures, { seconds: 20 });
  expect(figures.ratio).toBeLessThanOrEqual(1.2);
});

it('measures the private memory of 1, 2 and 4 executors, with and without packed weights', async () => {
  const all: Figures = {};
  for (const prepacking of [true, false]) {
    for (const count of [1, 2, 4]) {
      const figures = await executors(count, prepacking, 10);
      for (const [name, value] of Object.entries(figures))
        all[`${prepacking ? 'packed' : 'unpacked'}.${count}.${name}`] = value;
    }
  }
  note('serve-executors', all, { model: 'mnist-vae', samples: 64, seconds: 10 });
  expect(Object.keys(all)).toHaveLength(18);
});
