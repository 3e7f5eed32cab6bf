// Every operation of every family gives in Chromium what it gives in Node: in WASM, and on WebGPU (SwiftShader) where
// the family is no loop. Tiny networks of small pictures, trained for two steps.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadGenerator } from '@genserve/sdk';
import { compiledEngine, type Dataset, exportBundle, openDataset, train } from '@genserve/trainer';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeBands } from '../support/bands.js';
import { chromiumOptions, webGpuOptions } from '../support/chromium.js';
import { negatives } from '../support/negatives.js';
import { everyOperation } from './page/every-operation.js';
import type {} from './page/main.js';
import { hostPage, type PageHost } from './page-host.js';

const masked = { channels: 4, size: 3, firstSize: 3, head: 4, particles: 2 };
const families = {
  vae: { latent: 2, hidden: [8] },
  made: { hidden: [81], blocks: 2, particles: 2 },
  'gated-pixelcnn': { ...masked, layers: 1 },
  pixelcnn: { ...masked, blocks: 1 },
  pixelvae: { ...masked, latent: 2, layers: 1 },
  glow: { levels: 1, steps: 1, width: 4 },
  maf: { layers: 1, hidden: [8], blocks: 2 },
  dcgan: { latent: 4, width: 4, levels: 1, hidden: 8 },
  'wgan-gp': { latent: 4, generatorWidth: 4, criticWidth: 4, levels: 1, criticSteps: 1 },
  'ac-gan': { latent: 4, width: 4, hidden: 8, levels: 1 },
  classifier: { convolutions: [{ channels: 4, stride: 2 }], features: 8 },
  'vq-vae': { channels: 8, levels: 1, blocks: 1, blockChannels: 4, codes: 4, dimensions: 4 },
  pix2pix: { width: 4, widest: 2, levels: 2, discriminatorWidth: 4, dropoutLevels: 1 },
};
/** They loop over pixels, dimensions or codes: on a device they run in WASM alone. */
const loops = ['made', 'gated-pixelcnn', 'pixelcnn', 'pixelvae', 'maf', 'vq-vae'];

let folder: string;
let host: PageHost;
let browsers: Browser[];
let page: Page;
let webGpuPage: Page;
let bands: Dataset;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-families-'));
  await writeBands(join(folder, 'bands'), 60);
  bands = await openDataset(join(folder, 'bands'));
  host = await hostPage({ bundles: join(folder, 'models') });
  browsers = await Promise.all([chromium.launch(chromiumOptions), chromium.launch(webGpuOptions)]);
  [page, webGpuPage] = (await Promise.all(browsers.map(browser => browser.newPage()))) as [Page, Page]; // one each
  await Promise.all([page, webGpuPage].map(each => each.goto(host.url)));
}, 120_000);
afterAll(async () => {
  for (const browser of browsers ?? []) await browser.close();
  await host?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function tinyBundle(family: string, configuration: object): Promise<void> {
  // Glow halves pictures, whose sides must be even.
  const dataset = family === 'pix2pix' || family === 'glow' ? negatives : bands;
  const run = await train({
    ...{ family, configuration, data: dataset, steps: 2, training: { batch: 4, evaluationRows: 4 } },
    ...{ engine: compiledEngine({ threads: 1 }), runs: join(folder, 'runs'), name: family },
  });
  const few = { calibrationRows: 4, evaluation: { rows: 2, k: 1 } };
  await exportBundle(run.folder, { dataset, ...few, out: join(folder, 'models'), name: family });
}

/** On a page of its own browser, as WebGPU needs flags. */
function inChromium(page: Page, family: string, device: 'wasm' | 'webgpu') {
  return page.evaluate(
    async ({ url, device }) => {
      const generator = await window.sdk.loadGenerator(url, { device, precision: 'float32' });
      const outputs = await window.everyOperation(generator);
      await generator.dispose();
      return { backend: generator.backend, outputs };
    },
    { url: host.bundle(`${family}/1`), device },
  );
}

describe.each(Object.entries(families))('%s', (family, configuration) => {
  let inNode: Record<string, number[]>;
  beforeAll(async () => {
    await tinyBundle(family, configuration);
    const generator = await loadGenerator(host.bundle(`${family}/1`));
    inNode = await everyOperation(generator);
    expect(inNode).not.toEqual({});
    await generator.close();
  }, 120_000);

  it.each([['WASM', 'wasm'], ...(loops.includes(family) ? [] : [['WebGPU', 'webgpu'] as const])] as const)(
    'does in Chromium on %s what it does in Node',
    async (_name, device) => {
      const { backend, outputs } = await inChromium(device === 'wasm' ? page : webGpuPage, family, device);
      expect(backend).toBe(device);
      expect(Object.keys(outputs)).toEqual(Object.keys(inNode));
      for (const [name, values] of Object.entries(outputs)) expectClose(name, values, inNode[name]!);
    },
  );
});

/** Within 1e-4 of each other, relative to the largest where that is above 1. */
function expectClose(name: string, values: readonly number[], expected: readonly number[]) {
  expect(values.length).toBe(expected.length);
  expect(expected.every(Number.isFinite), name).toBe(true);
  const largest = Math.max(1, ...expected.map(Math.abs));
  const difference = Math.max(...values.map((value, i) => Math.abs(value - expected[i]!)));
  expect(difference / largest, name).toBeLessThanOrEqual(1e-4);
}
