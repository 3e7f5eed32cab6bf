// A page that loads and disposes of a model over and over does not grow.
import { expect, it } from 'vitest';
import { memoryGrowth } from '../browser/memory.js';
import { hostPage } from '../browser/page-host.js';
import { chromiumOptions } from '../support/chromium.js';
import { record } from '../support/results.js';

it('grows by less than 20 MB over cycles 50 to 200', async () => {
  await using host = await hostPage();
  const growth = await memoryGrowth(chromiumOptions, host.url, host.bundle('mnist-vae/1'), 50, 200);
  const metrics = { 'sdk.memory_growth_mb': growth / 1e6 };
  record('sdk-memory', 'npm run test:slow sdk-memory', metrics, { model: 'mnist-vae', from: 50, to: 200 });
  expect(growth).toBeLessThan(20e6);
});
