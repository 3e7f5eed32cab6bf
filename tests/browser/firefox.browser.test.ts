// The SDK in Debian's Firefox, a second engine: the same page, the numbers of Node, and an abort.
import { loadGenerator } from '@genserve/sdk';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type {} from './page/main.js';
import { hostPage, type PageHost } from './page-host.js';

/** How long Firefox may take to start before these tests are skipped: a machine too busy for it says nothing of the SDK. */
const startMilliseconds = 30_000;

let host: PageHost;
let firefox: Browser | undefined;
let page: Page;

beforeAll(async () => {
  const options = { browser: 'firefox', executablePath: '/usr/bin/firefox-esr', timeout: startMilliseconds } as const;
  [host, firefox] = await Promise.all([hostPage(), puppeteer.launch(options).catch(() => undefined)]);
  page = (await firefox?.newPage()) as Page; // without Firefox no test gets to see it
  await page?.goto(host.url);
}, 60_000);
afterAll(async () => {
  await firefox?.close();
  await host?.[Symbol.asyncDispose]();
});

describe('a model in the worker of a page in Firefox', () => {
  beforeEach(context => context.skip(!firefox, `firefox-esr did not start in ${startMilliseconds / 1000} s`));

  it.each(['tiny/1', 'mnist-vae/1'])('gives the samples of Node: %s', async bundle => {
    const inFirefox = await page.evaluate(async url => {
      const generator = await window.sdk.loadGenerator(url, { precision: 'float32' });
      const { data } = await generator.sample({ seed: 7, count: 4 });
      await generator.close();
      return { backend: generator.backend, reason: generator.fallbackReason, values: Array.from(data.data) };
    }, host.bundle(bundle));
    const inNode = await loadGenerator(host.bundle(bundle), { precision: 'float32' });
    const { data } = await inNode.sample({ seed: 7, count: 4 });
    await inNode.close();
    expect(inFirefox.backend).toBe('wasm');
    expect(inFirefox.values.length).toBe(data.data.length);
    inFirefox.values.forEach((value, i) => {
      expect(Math.abs(value - data.data[i]!)).toBeLessThanOrEqual(1e-4);
    });
  });

  it('stops at an abort and goes on working', async () => {
    const [failure, count] = await page.evaluate(async url => {
      const generator = await window.sdk.loadGenerator(url);
      const abort = new AbortController();
      const long = generator.sample({ count: 5_000_000, signal: abort.signal });
      setTimeout(() => abort.abort(), 100);
      const failure = await long.catch((error: { reason?: string }) => error.reason);
      const { data } = await generator.sample({ count: 2 });
      await generator.close();
      return [failure, data.shape[0]] as const;
    }, host.bundle('tiny/1'));
    expect([failure, count]).toEqual(['CANCELLED', 2]);
  });
});
