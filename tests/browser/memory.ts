// How much a page's memory, workers included, grows over cycles of loading and disposing of a model.
import type { Page } from 'playwright-core';
import type {} from './page/main.js';

/** Chromium's flag that makes the measurement collect garbage and answer at once. */
export const MEASURE_MEMORY = '--enable-blink-features=ForceEagerMeasureMemory';

/** Bytes gained from the end of cycle `from` to the end of cycle `to`. The page must be cross-origin isolated. */
export async function memoryGrowth(page: Page, bundle: string, from: number, to: number): Promise<number> {
  const cycles = (count: number) =>
    page.evaluate(
      async ([url, count]) => {
        for (let cycle = 0; cycle < count; cycle++) {
          const generator = await window.sdk.loadGenerator(url, { device: 'wasm' });
          await generator.sample({ count: 4, seed: cycle });
          await generator.dispose();
        }
        // The DOM library of TypeScript does not have it.
        const { measureUserAgentSpecificMemory } = performance as unknown as {
          measureUserAgentSpecificMemory(): Promise<{ bytes: number }>;
        };
        return (await measureUserAgentSpecificMemory.call(performance)).bytes;
      },
      [bundle, count] as const,
    );
  const before = await cycles(from);
  return (await cycles(to - from)) - before;
}
