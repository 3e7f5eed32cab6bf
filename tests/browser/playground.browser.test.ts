// The playground in headless Chromium, on a real server. What the tests hold on to, by data-testid:
//   model, card-name, card-facts                                    the picked model and its card
//   place-server, place-browser, seed, shuffle, temperature, label, count, generate, compare
//   samples, sampling-status, time-server, time-browser, comparison   the sheet and its figures
//   drawing, reconstruction, heat, take-sample, file, clear, centre, verdict-words, verdict-figures
//   tab-curl, tab-typescript, tab-python, snippet, copy, notice
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumOptions } from '../support/chromium.js';
import { models, python, root } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';

const run = promisify(execFile);
const playground = `${root}playground/dist`;
const repositories = [
  { model: 'tiny', folder: `${root}runtime/fixtures` },
  ...(existsSync(`${models}/mnist-vae`) ? [{ model: 'mnist-vae', folder: models }] : []),
];

/** Patient: a loaded machine takes its time. */
const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 30_000 });

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch(chromiumOptions);
});
afterAll(() => browser?.close());

describe.each(repositories)('the playground with $model', ({ model, folder }) => {
  let served: ServedModels;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    served = await serve({ models: folder, playground });
  });
  afterAll(() => served?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    page = await context.newPage();
    complaints = [];
    page.on('pageerror', error => complaints.push(error.message));
    page.on('request', request => {
      if (!/^(blob:|data:)/.test(request.url()) && !request.url().startsWith(served.url))
        complaints.push(request.url());
    });
    await page.goto(`${served.url}?model=${model}`);
    await eventually(() => page.getByTestId('samples').getAttribute('aria-label')).toMatch(/36 samples of seed 7/);
  });
  afterEach(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });

  const text = (id: string) => page.getByTestId(id).textContent();
  /** The 8-bit values of a canvas. */
  const pixels = (id: string) =>
    page.getByTestId(id).evaluate(canvas => {
      if (!(canvas instanceof HTMLCanvasElement)) return [];
      return Array.from(canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []);
    });
  const spread = (values: number[]) => new Set(values.filter((_, i) => i % 4 !== 3)).size;

  /** A stroke like a two, with the pointer. */
  async function draw(): Promise<void> {
    const pad = page.getByTestId('drawing');
    await pad.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await pad.boundingBox())!;
    const stroke = [
      [0.3, 0.3],
      [0.45, 0.2],
      [0.68, 0.35],
      [0.5, 0.5],
      [0.3, 0.78],
      [0.72, 0.76],
    ] as const;
    await page.mouse.move(x + stroke[0][0] * width, y + stroke[0][1] * height);
    await page.mouse.down();
    for (const [right, down] of stroke) await page.mouse.move(x + right * width, y + down * height, { steps: 5 });
    await page.mouse.up();
  }

  it('shows what the model is, and samples of it', async () => {
    expect(await text('card-name')).toBe(model);
    expect(await text('card-facts')).toMatch(/Family.*Parameters.*Download/);
    expect(spread(await pixels('samples'))).toBeGreaterThan(50);
    expect(await text('time-server')).toMatch(/ms|s · \d+ pictures\/s/);
    expect(await page.getByTestId('notice').isVisible()).toBe(false);
  });

  it('draws the same pictures in the browser as on the server, and others from another seed', async () => {
    const onServer = await pixels('samples');
    await page.getByTestId('place-browser').check();
    await eventually(() => text('sampling-status')).toMatch(/verified in .* runs on WebAssembly/);
    const inBrowser = await pixels('samples');
    expect(inBrowser.length).toBe(onServer.length);
    expect(inBrowser.filter((value, i) => Math.abs(value - onServer[i]!) > 1)).toEqual([]);

    await page.getByTestId('compare').click();
    const comparison = page.getByTestId('comparison');
    await eventually(() => comparison.getAttribute('data-difference')).not.toBeNull();
    expect(Number(await comparison.getAttribute('data-difference'))).toBeLessThanOrEqual(1e-4);
    expect(await comparison.textContent()).toMatch(/^The same pictures/);

    await page.getByTestId('seed').fill('8');
    await eventually(() => page.getByTestId('samples').getAttribute('aria-label')).toMatch(/seed 8/);
    expect(await pixels('samples')).not.toEqual(inBrowser);
  });

  it('follows temperature and count', async () => {
    const before = await pixels('samples');
    await page.getByTestId('temperature').fill('0.2');
    await eventually(() => pixels('samples')).not.toEqual(before);
    await page.getByTestId('count').selectOption('16');
    await eventually(() => page.getByTestId('samples').getAttribute('aria-label')).toMatch(/^16 samples/);
    expect(await text('snippet')).toContain('"temperature":0.2');
  });

  it.each(['server', 'browser'] as const)('scores a drawing in words, on the %s', async place => {
    await page.getByTestId(`place-${place}`).check();
    await draw();
    await expect.poll(() => text('verdict-words')).toMatch(/rarer than (only )?[\d.]+ % of normal/i);
    expect(await text('verdict-figures')).toMatch(
      place === 'server' ? /nats · p = .* ms on the server/ : /nats · p = .* ms in this browser/,
    );
    expect(spread(await pixels('reconstruction'))).toBeGreaterThan(5);
    expect(spread(await pixels('heat'))).toBeGreaterThan(20);
    await page.getByTestId('clear').click();
    expect(await text('verdict-words')).toBe('Waiting for a picture.');
    expect(spread(await pixels('heat'))).toBe(1);
  });

  it('finds its own samples more normal than a chequerboard', async () => {
    const pValue = async () => Number(/p = ([\d.e-]+)/.exec((await text('verdict-figures')) ?? '')?.[1]);
    let best = 0;
    for (let taken = 0; taken < 5; taken++) {
      const before = await text('verdict-figures');
      await page.getByTestId('take-sample').click();
      await eventually(() => text('verdict-figures')).not.toBe(before);
      best = Math.max(best, await pValue());
    }
    expect(best).toBeGreaterThan(0.05);
    const noise = Buffer.from(
      await page.evaluate(async () => {
        const canvas = new OffscreenCanvas(64, 64);
        const context = canvas.getContext('2d')!;
        for (let y = 0; y < 64; y += 8)
          for (let x = 0; x < 64; x += 8) {
            context.fillStyle = (x + y) % 16 === 0 ? '#fff' : '#000';
            context.fillRect(x, y, 8, 8);
          }
        return Array.from(new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer()));
      }),
    );
    await page.getByTestId('file').setInputFiles({ name: 'squares.png', mimeType: 'image/png', buffer: noise });
    await eventually(pValue).toBeLessThan(0.05);
    expect(await text('verdict-words')).toMatch(/^Anomalous/);
  });

  it('shows code that does what is seen', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'genserve-snippet-'));
    try {
      const curl = (await text('snippet')) ?? '';
      await page.getByTestId('copy').click();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(curl);
      await run('bash', ['-c', curl], { cwd: scratch });
      expect((await readFile(join(scratch, 'samples.png'))).subarray(1, 4).toString()).toBe('PNG');

      await page.getByTestId('tab-python').click();
      const { stdout } = await run(python, ['-c', (await text('snippet')) ?? ''], { cwd: scratch });
      expect(stdout).toMatch(/^\(36, \d+, \d+, 1\)/);

      await draw();
      await eventually(() => text('snippet')).toContain(':anomaly');
      const scored = await run(python, ['-c', (await text('snippet')) ?? ''], { cwd: scratch });
      expect(scored.stdout).toMatch(/^(normal|anomalous|unsure) [\d.e-]+/);

      await page.getByTestId('tab-typescript').click();
      expect(await text('snippet')).toMatch(/import { connect, fromPixels } from '@genserve\/sdk'/);
    } finally {
      await rm(scratch, { recursive: true });
    }
  });

  it('is usable from the keyboard, every control with its name', async () => {
    const seed = page.getByLabel('Seed', { exact: true });
    await seed.focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('12');
    await page.keyboard.press('Enter');
    await eventually(() => page.getByTestId('samples').getAttribute('aria-label')).toMatch(/seed 12/);
    await page.getByTestId('tab-curl').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.getByTestId('tab-typescript').getAttribute('aria-selected')).toBe('true');
    const unnamed = await page.locator('button, input, select, canvas').evaluateAll(controls =>
      controls
        .filter(control => {
          const labels = 'labels' in control && control.labels instanceof NodeList ? [...control.labels] : [];
          const named = [...labels, control].some(({ textContent }) => textContent?.trim());
          return !named && !control.getAttribute('aria-label');
        })
        .map(({ id }) => id),
    );
    expect(unnamed).toEqual([]);
  });

  it('fits a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    const clipped = await page.locator('button, select, label').evaluateAll(controls =>
      controls
        .filter(control => {
          const { left, right, width } = control.getBoundingClientRect();
          return width > 1 && (left < 0 || right > 360);
        })
        .map(({ id, textContent }) => id || textContent),
    );
    expect(clipped).toEqual([]);
  });
});

it('says so where the server has no model', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'genserve-models-'));
  const served = await serve({ models: folder, playground });
  const page = await browser.newPage();
  try {
    await page.goto(served.url);
    await eventually(() => page.getByTestId('notice').textContent()).toMatch(/no model yet.*MODEL_NOT_FOUND/);
  } finally {
    await page.close();
    await served[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  }
});
