// A page that loads and disposes of a model over and over does not grow.
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { MEASURE_MEMORY, memoryGrowth } from '../browser/memory.js';
import { hostPage } from '../browser/page-host.js';
import { chromiumOptions } from '../support/chromium.js';
import { record } from '../support/results.js';

it('grows by less than 20 MB over cycles 50 to 200', async () => {
  await using host = await hostPage();
  host.isolated = true;
  const browser = await chromium.launch({
    ...chromiumOptions,
    args: [...(chromiumOptions.args ?? []), MEASURE_MEMORY],
  });
  try {
    const page = await browser.newPage();
    await page.goto(host.url);
    const megabytes = (await memoryGrowth(page, host.bundle('mnist-vae/1'), 50, 200)) / 1e6;
    const context = { model: 'mnist-vae', from: 50, to: 200, browser: browser.version() };
    record('sdk-memory', 'npm run test:slow sdk-memory', { 'sdk.memory_growth_mb': megabytes }, context);
    expect(megabytes).toBeLessThan(20);
  } finally {
    await browser.close();
  }
});
