// The playground in headless Chromium, on a real server with the shipped auto-encoder, the runtime's fixtures and a
// translator trained for seconds: every view is driven as a person would, and what a person would see is asserted.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumOptions } from '../support/chromium.js';
import { negativeBundle } from '../support/negatives.js';
import { models, python, root } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';

const run = promisify(execFile);
const playground = `${root}playground/dist`;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const views = {
  gallery: '#/',
  sample: '#/mnist-vae/sample',
  explore: '#/mnist-vae/explore',
  score: '#/mnist-vae/score',
  paint: '#/tiny-rows/paint',
  translate: '#/negative/translate',
};

/** Patient: a loaded machine takes its time. */
const eventually = <T>(value: () => T) => expect.poll(value, { timeout: 30_000 });

let folder: string;
let runs: string;
let served: ServedModels;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-models-'));
  runs = await mkdtemp(join(tmpdir(), 'genserve-runs-'));
  await Promise.all([
    negativeBundle(runs, folder),
    cp(`${models}/mnist-vae`, join(folder, 'mnist-vae'), { recursive: true }),
    ...['tiny', 'tiny-rows'].map(name =>
      cp(`${root}runtime/fixtures/${name}`, join(folder, name), { recursive: true }),
    ),
  ]);
  [browser, served] = await Promise.all([chromium.launch(chromiumOptions), serve({ models: folder, playground })]);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await served?.[Symbol.asyncDispose]();
  await Promise.all([folder, runs].map(each => rm(each, { recursive: true })));
});
beforeEach(async () => {
  context = await browser.newContext({
    permissions: ['clipboard-read', 'clipboard-write'],
    reducedMotion: 'reduce',
  });
  page = await context.newPage();
  complaints = [];
  page.on('pageerror', error => complaints.push(error.message));
  page.on('request', request => {
    if (!/^(blob:|data:)/.test(request.url()) && !request.url().startsWith(served.url)) complaints.push(request.url());
  });
});
afterEach(async () => {
  await context.close();
  expect(complaints).toEqual([]);
});

const text = (id: string) => page.getByTestId(id).textContent();
const label = (id: string) => page.getByTestId(id).getAttribute('aria-label');
/** The 8-bit values of a canvas. */
const pixels = (id: string) =>
  page.getByTestId(id).evaluate(canvas => {
    if (!(canvas instanceof HTMLCanvasElement)) return [];
    return Array.from(canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? []);
  });
const spread = (values: number[]) => new Set(values.filter((_, i) => i % 4 !== 3)).size;

/** Opens a view and waits until it shows what it first shows. */
async function open(view: keyof typeof views): Promise<void> {
  await page.goto(`${served.url}${views[view]}`);
  if (view === 'gallery') await page.getByTestId('model-tiny').waitFor();
  if (view === 'sample') await eventually(() => label('samples')).toMatch(/^36 samples of seed 7/);
  if (view === 'explore') await eventually(() => label('map')).toMatch(/^Map of 81 pictures.*seed 7/);
  if (view === 'paint') await eventually(() => text('paint-status')).toMatch(/^Erase a part/);
  if (view === 'translate') await page.getByTestId('translate-file').waitFor({ state: 'attached' });
  if (view === 'score') await page.getByTestId('drawing').waitFor();
}

/** A stroke through these points, as shares of an element's sides, with the pointer. */
async function stroke(id: string, points: readonly (readonly [number, number])[]): Promise<void> {
  const target = page.getByTestId(id);
  await target.scrollIntoViewIfNeeded();
  const { x, y, width, height } = (await target.boundingBox())!;
  const [first = [0, 0]] = points;
  await page.mouse.move(x + first[0] * width, y + first[1] * height);
  await page.mouse.down();
  for (const [right, down] of points) await page.mouse.move(x + right * width, y + down * height, { steps: 4 });
  await page.mouse.up();
}

const drawTwo = () =>
  stroke('drawing', [
    [0.3, 0.3],
    [0.45, 0.2],
    [0.68, 0.35],
    [0.5, 0.5],
    [0.3, 0.78],
    [0.72, 0.76],
  ]);

describe('the gallery', () => {
  it('shows every model with its pictures and what it can do, and leads to its page', async () => {
    await open('gallery');
    expect(await page.getByTestId('models').locator('li').count()).toBe(4);
    const card = page.getByTestId('model-mnist-vae');
    expect(await card.textContent()).toMatch(/mnist-vae.*vae.*Handwritten digits.*samples.*latent space.*likelihood/);
    const width = () => card.locator('img').evaluate(image => (image as HTMLImageElement).naturalWidth); // `img`
    await eventually(width).toBeGreaterThan(28);
    await card.click();
    await eventually(() => text('card-name')).toBe('mnist-vae');
    expect(await text('card-facts')).toMatch(/Family.*Test NLL.*86\.\d nats.*Parameters.*Download.*2\.8 MB/);
    expect(await page.getByTestId('views').textContent()).toBe('SampleExploreScore');
    await page.goBack();
    await page.getByTestId('model-tiny').waitFor();
  });

  it('says so where the server has no model', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'genserve-models-'));
    const server = await serve({ models: empty, playground });
    const visit = await browser.newPage();
    try {
      await visit.goto(server.url);
      await eventually(() => visit.getByTestId('notice').textContent()).toMatch(/no model yet.*MODEL_NOT_FOUND/);
    } finally {
      await visit.close();
      await server[Symbol.asyncDispose]();
      await rm(empty, { recursive: true });
    }
  });
});

describe('the sampling sheet', () => {
  it('draws the same pictures on the device as on the server, with the time of both', async () => {
    await open('sample');
    const onServer = await pixels('samples');
    expect(spread(onServer)).toBeGreaterThan(50);
    expect(await text('time-server')).toMatch(/m?s · [\d,.]+ pictures\/s/);
    await page.getByTestId('place-browser').check();
    await eventually(() => text('sampling-status')).toMatch(/half precision here and verified in .* WebAssembly/);
    expect(await text('time-browser')).toMatch(/m?s · [\d,.]+ pictures\/s/);
    const onDevice = await pixels('samples');
    expect(onDevice.length).toBe(onServer.length);
    // A thousandth of half precision is at most a level of 255, and another by rounding.
    expect(onDevice.filter((value, i) => Math.abs(value - onServer[i]!) > 2)).toEqual([]);

    await page.getByTestId('compare').click();
    const comparison = page.getByTestId('comparison');
    await eventually(() => comparison.getAttribute('data-difference')).not.toBeNull();
    expect(Number(await comparison.getAttribute('data-difference'))).toBeLessThanOrEqual(5e-3);
    expect(await comparison.textContent()).toMatch(/^The same pictures.*half precision/);
  });

  it('follows seed, temperature and count, and so does the code', async () => {
    await open('sample');
    const before = await pixels('samples');
    await page.getByTestId('seed').fill('8');
    await eventually(() => label('samples')).toMatch(/seed 8/);
    const other = await pixels('samples');
    expect(other).not.toEqual(before);
    await page.getByTestId('temperature').fill('0.2');
    await eventually(() => text('snippet')).toContain('"temperature":0.2');
    expect(await pixels('samples')).not.toEqual(other);
    await page.getByTestId('count').selectOption('16');
    await eventually(() => label('samples')).toMatch(/^16 samples/);
  });

  it('offers labels where the model has them, and names those of its pictures', async () => {
    await page.goto(`${served.url}#/tiny-rows/sample`);
    await eventually(() => label('samples')).toMatch(/^16 samples/);
    await page.getByTestId('label').selectOption({ label: 'light' });
    await eventually(() => text('snippet')).toContain('"labels":[1]');
    await page.getByTestId('samples').click({ position: { x: 20, y: 20 } });
    expect(await text('picked')).toMatch(/^Picture 1 of seed 7, a light/);
  });

  it('goes on with a picture that is picked from the keyboard', async () => {
    await open('sample');
    await page.getByTestId('samples').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    expect(await text('picked')).toBe('Picture 7 of seed 7.');
    await page.getByTestId('pick-score').click();
    await eventually(() => text('verdict-words')).toMatch(/rarer than (only )?[\d.]+ % of normal digits/i);
    expect(page.url()).toContain('#/mnist-vae/score');
  });
});

describe('the latent explorer', () => {
  it('shows the picture under the marker while it is dragged, on the server and on the device', async () => {
    await open('explore');
    expect(spread(await pixels('map'))).toBeGreaterThan(50);
    for (const place of ['server', 'browser'] as const) {
      await page.getByTestId(`place-${place}`).check();
      await stroke('map', [
        [0.5, 0.5],
        [0.99, 0.01],
      ]);
      await eventually(() => text('point-caption')).toBe('The picture at 100 %, 0 %');
      // The corner of the map is the second sample.
      const corner = await page.getByTestId('map').evaluate(canvas => {
        const { width } = canvas as HTMLCanvasElement; // it is one
        const picture = (canvas as HTMLCanvasElement).getContext('2d')?.getImageData(width - 28, 0, 28, 28);
        return Array.from(picture?.data ?? []);
      });
      const point = await pixels('point');
      expect(point.filter((value, i) => Math.abs(value - corner[i]!) > 2)).toEqual([]);
    }
    expect(await text('snippet')).toMatch(/"latents":{"values":{"z":/);
  });

  it('moves along two directions of the code, from the keyboard', async () => {
    await open('explore');
    const before = await pixels('map');
    await page.getByTestId('plane').selectOption('axes');
    await eventually(() => label('map')).toMatch(/two directions of the code/);
    expect(await pixels('map')).not.toEqual(before);
    const middle = await pixels('point');
    await page.getByTestId('across').focus();
    await page.keyboard.press('End');
    await eventually(() => text('point-caption')).toBe('The picture at 3.00, 0.00');
    expect(await pixels('point')).not.toEqual(middle);
  });
});

describe('in-painting', () => {
  it.each(['server', 'browser'] as const)('completes what is erased, in several ways, on the %s', async place => {
    await open('paint');
    await page.getByTestId(`place-${place}`).check();
    await page.getByTestId('erase-lower').click();
    expect(await label('paint-canvas')).toMatch(/50 % of it is erased/);
    await page.getByTestId('complete').click();
    await eventually(() => text('paint-status')).toMatch(/^6 completions in .* What was known is as it was/);
    const completions = await page.getByTestId('completions').locator('canvas').all();
    expect(completions).toHaveLength(6);
    const pictures = await Promise.all(
      completions.map(canvas =>
        canvas.evaluate(each => {
          const { width, height } = each as HTMLCanvasElement; // the locator's
          const data = (each as HTMLCanvasElement).getContext('2d')?.getImageData(0, 0, width, height).data ?? [];
          return Array.from(data).filter((_, i) => i % 4 === 0);
        }),
      ),
    );
    const upper = new Set(pictures.map(picture => picture.slice(0, picture.length / 2).join()));
    expect(upper.size).toBe(1);
    expect(new Set(pictures.map(picture => picture.join())).size).toBeGreaterThan(1);
    expect(await text('snippet')).toContain('"completion"');
  });

  it('erases with the pointer, completes when it is lifted, and restores', async () => {
    await open('paint');
    await stroke('paint-canvas', [
      [0.2, 0.9],
      [0.8, 0.9],
    ]);
    await eventually(() => text('paint-status')).toMatch(/^6 completions/);
    await page.getByTestId('restore').click();
    expect(await label('paint-canvas')).toMatch(/; 0 % of it is erased/);
    await page.getByTestId('complete').click();
    expect(await text('paint-status')).toMatch(/^Nothing is erased yet/);
  });
});

describe('translation', () => {
  /** Dark, or transparent, with a light band across the middle third. */
  const band = (ground: string) =>
    page.evaluate(async colour => {
      const canvas = new OffscreenCanvas(48, 48);
      const context = canvas.getContext('2d')!;
      context.fillStyle = colour;
      context.fillRect(0, 0, 48, 48);
      context.fillStyle = '#fff';
      context.fillRect(0, 16, 48, 16);
      return Array.from(new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer()));
    }, ground);
  /** Mean grey level of the upper, middle and lower third. */
  const thirds = (values: number[]) =>
    [0, 1, 2].map(third => {
      const part = values.slice((third * values.length) / 3, ((third + 1) * values.length) / 3);
      return part.filter((_, i) => i % 4 === 0).reduce((sum, value) => sum + value, 0) / (part.length / 4);
    });

  it('turns a picture that is chosen into its negative, on the server and on the device', async () => {
    await open('translate');
    const buffer = Buffer.from(await band('#000'));
    await page.getByTestId('translate-file').setInputFiles({ name: 'band.png', mimeType: 'image/png', buffer });
    await eventually(() => text('translate-status')).toMatch(/^Translated in .* on the server/);
    const [above, middle, below] = thirds(await pixels('translate-source'));
    expect(middle! - Math.max(above!, below!)).toBeGreaterThan(150);
    const onServer = await pixels('translate-result');
    const negative = thirds(onServer);
    expect(Math.min(negative[0]!, negative[2]!) - negative[1]!).toBeGreaterThan(100);
    await page.getByTestId('place-browser').check();
    await eventually(() => text('translate-status')).toMatch(/^Translated in .* on this device/);
    const onDevice = await pixels('translate-result');
    // A thousandth of half precision is at most a level of 255, and another by rounding.
    expect(onDevice.filter((value, i) => Math.abs(value - onServer[i]!) > 2)).toEqual([]);
    expect(await text('snippet')).toContain('"translation"');
  });

  it('takes a picture without a ground as one on white, as pictures were in training', async () => {
    await open('translate');
    const buffer = Buffer.from(await band('#0000'));
    await page.getByTestId('translate-file').setInputFiles({ name: 'band.png', mimeType: 'image/png', buffer });
    await eventually(() => text('translate-status')).toMatch(/^Translated in/);
    expect(Math.min(...thirds(await pixels('translate-source')))).toBeGreaterThan(250);
  });
});

describe('scores', () => {
  it.each(['server', 'browser'] as const)('are said in words for a drawing, on the %s', async place => {
    await open('score');
    await page.getByTestId(`place-${place}`).check();
    await drawTwo();
    await eventually(() => text('verdict-words')).toMatch(/rarer than (only )?[\d.]+ % of normal/i);
    expect(await text('verdict-figures')).toMatch(
      place === 'server'
        ? /nats per bit · p = .* against 5,000 held-out digits · .* on the server/
        : /nats per bit · p = .* against 5,000 held-out digits · .* on this device/,
    );
    expect(await text('likelihood')).toMatch(/log p\(x\) is at least -[\d.]+ nats .*16 draws.* bits per pixel/);
    expect(spread(await pixels('reconstruction'))).toBeGreaterThan(5);
    expect(spread(await pixels('heat'))).toBeGreaterThan(20);
    const chart = page.getByTestId('distribution').getByRole('img');
    expect(await chart.getAttribute('aria-label')).toMatch(/5,000 normal digits.* yours scores -?[\d.]+/);
    await page.getByTestId('clear').click();
    expect(await text('verdict-words')).toBe('Waiting for a picture.');
    expect(spread(await pixels('heat'))).toBe(1);
    expect(await page.getByTestId('distribution').isVisible()).toBe(false);
  });

  it('find samples more normal than a chequerboard that is uploaded', async () => {
    await open('score');
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

  it('are a likelihood alone where a model has no calibrated score', async () => {
    await page.goto(`${served.url}#/tiny-rows/score`);
    await page.getByTestId('take-sample').click();
    await eventually(() => text('likelihood')).toMatch(/log p\(x\) = -[\d.]+ nats, [\d.]+ bits per pixel, exactly/);
    expect(await text('verdict-words')).toMatch(/no calibrated score/);
  });
});

describe('the code', () => {
  it('does what is seen', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'genserve-snippet-'));
    try {
      await open('sample');
      const curl = (await text('snippet')) ?? '';
      await page.getByTestId('copy').click();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(curl);
      await run('bash', ['-c', curl], { cwd: scratch });
      expect((await readFile(join(scratch, 'samples.png'))).subarray(1, 4).toString()).toBe('PNG');
      await page.getByTestId('tab-python').click();
      const samples = await run(python, ['-c', (await text('snippet')) ?? ''], { cwd: scratch });
      expect(samples.stdout).toMatch(/^\(36, 28, 28, 1\)/);

      await page.getByTestId('view-explore').click();
      await eventually(() => text('snippet')).toContain('"latents"');
      const decoded = await run(python, ['-c', (await text('snippet')) ?? ''], { cwd: scratch });
      expect(decoded.stdout).toMatch(/^\(1, 28, 28, 1\)/);

      await page.getByTestId('view-score').click();
      await drawTwo();
      await eventually(() => text('snippet')).toContain(':anomaly');
      const scored = await run(python, ['-c', (await text('snippet')) ?? ''], { cwd: scratch });
      expect(scored.stdout).toMatch(/^(normal|anomalous|unsure) [\d.e-]+/);
      await page.getByTestId('tab-typescript').click();
      expect(await text('snippet')).toMatch(/import { connect, fromPixels } from '@genserve\/sdk'/);

      await page.goto(`${served.url}${views.paint}`);
      await page.getByTestId('erase-lower').click();
      await page.getByTestId('complete').click();
      await eventually(() => text('snippet')).toContain('completeStream');
      await page.getByTestId('tab-python').click();
      const completed = await run(python, ['-c', (await text('snippet')) ?? ''], { cwd: scratch });
      expect(completed.stdout).toMatch(/^\(6, 4, 3, 1\)/);
    } finally {
      await rm(scratch, { recursive: true });
    }
  });

  it('has tabs that the arrow keys move through', async () => {
    await open('sample');
    await page.getByTestId('tab-curl').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.getByTestId('tab-typescript').getAttribute('aria-selected')).toBe('true');
  });
});

describe.each(Object.keys(views) as (keyof typeof views)[])('the %s page', view => {
  it('has no serious fault that axe-core finds, light or dark, and fits a phone', async () => {
    await open(view);
    // Evaluated, not added: the page's Content-Security-Policy allows no inline script.
    await page.evaluate(axe);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const { violations } = await page.evaluate(
        // The script that was just evaluated puts axe there.
        () => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
      );
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => [id, colorScheme, nodes.map(({ html }) => html)])).toEqual([]);
    }
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    const clipped = await page.locator('button, select, label, a').evaluateAll(controls =>
      controls
        .filter(control => {
          const { left, right, width, bottom } = control.getBoundingClientRect();
          return width > 1 && bottom > 0 && (left < 0 || right > 360);
        })
        .map(({ id, textContent }) => id || textContent),
    );
    expect(clipped).toEqual([]);
  });
});
