// Sixteen digits of the shipped Gated PixelCNN in the worker of a page, the download and the first session left out.
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import type {} from '../browser/page/main.js';
import { hostPage } from '../browser/page-host.js';
import { chromiumOptions } from '../support/chromium.js';
import { record } from '../support/results.js';

it('draws sixteen digits in less than two seconds', async () => {
  await using host = await hostPage();
  const browser = await chromium.launch(chromiumOptions);
  try {
    const page = await browser.newPage();
    await page.goto(host.url);
    const seconds = await page.evaluate(async url => {
      const generator = await window.sdk.loadGenerator(url, { device: 'wasm' });
      await generator.sample({ seed: 0, count: 16 });
      const turns: number[] = [];
      for (let seed = 1; seed <= 3; seed++) {
        const started = performance.now();
        await generator.sample({ seed, count: 16 });
        turns.push((performance.now() - started) / 1000);
      }
      await generator.dispose();
      return turns.sort((a, b) => a - b)[1]!;
    }, host.bundle('mnist-pixelcnn/1'));
    record(
      'pixelcnn-in-chromium',
      'npm run test:slow pixelcnn-in-chromium',
      { seconds },
      { images: 16, device: 'wasm' },
    );
    expect(seconds).toBeLessThan(2);
  } finally {
    await browser.close();
  }
});
