// The noise's known answers hold wherever noise is drawn: with the runtime that each package resolves, and in Chromium,
// whose own logarithms and cosines are used there.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { fillNoise } from '@genserve/runtime';
import known from '@genserve/runtime/fixtures/noise.json' with { type: 'json' };
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { expect, it } from 'vitest';
import { chromiumOptions } from '../support/chromium.js';
import { root } from '../support/paths.js';

const { uniform, normal, ...request } = known;

it.each(['trainer', 'server', 'sdk', 'cli'])('in %s', async name => {
  const resolved = createRequire(`${root}${name}/package.json`).resolve('@genserve/runtime');
  const runtime = (await import(pathToFileURL(resolved).href)) as { fillNoise: typeof fillNoise };
  expect([...runtime.fillNoise({ ...request, distribution: 'uniform' })]).toEqual(uniform);
  expect([...runtime.fillNoise({ ...request, distribution: 'normal' })]).toEqual(normal);
});

it('in Chromium', async () => {
  const entry = createRequire(`${root}sdk/package.json`).resolve('@genserve/runtime');
  const lib = { entry, name: 'runtime', formats: ['iife' as const], fileName: 'runtime' };
  const output = await build({ configFile: false, logLevel: 'error', build: { lib, write: false } });
  const chunk = (Array.isArray(output) ? output : [output]).flatMap(part => ('output' in part ? part.output : []))[0];
  if (chunk?.type !== 'chunk') throw new Error('the runtime did not build to a script');
  const browser = await chromium.launch(chromiumOptions);
  try {
    const page = await browser.newPage();
    await page.addScriptTag({ content: chunk.code });
    const drawn = await page.evaluate(noise => {
      const { runtime } = globalThis as unknown as { runtime: { fillNoise: typeof fillNoise } };
      return (['uniform', 'normal'] as const).map(distribution => [...runtime.fillNoise({ ...noise, distribution })]);
    }, request);
    expect(drawn).toEqual([uniform, normal]);
  } finally {
    await browser.close();
  }
});
