// The SDK in headless Chromium: a page built by Vite, a model in its worker, against the same SDK in Node.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientGenerator, loadGenerator } from '@genserve/sdk';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chromiumOptions, webGpuOptions } from '../support/chromium.js';
import { memoryGrowth } from './memory.js';
import type {} from './page/main.js';
import { type Answer, hostPage, type PageHost } from './page-host.js';

let host: PageHost;
let browser: Browser;
let context: BrowserContext;
let page: Page;
let inNode: ClientGenerator;

beforeAll(async () => {
  [host, browser] = await Promise.all([hostPage(), chromium.launch(chromiumOptions)]);
  inNode = await loadGenerator(host.bundle('tiny/1'));
});
afterAll(async () => {
  await inNode?.close();
  await browser?.close();
  await host?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  context = await browser.newContext();
  page = await context.newPage();
  await page.goto(host.url);
});
afterEach(async () => {
  host.broken.clear();
  host.isolated = false;
  await context.close();
});

function largestDifference(some: ArrayLike<number>, others: ArrayLike<number>): number {
  expect(some.length).toBe(others.length);
  return Array.from(some).reduce((most, value, i) => Math.max(most, Math.abs(value - others[i]!)), 0);
}

/** Samples and scores of a bundle on the page, as plain JSON. */
function inPage(target: Page, bundle: string, device: 'auto' | 'wasm' | 'webgpu' = 'auto') {
  return target.evaluate(
    async ([url, device]) => {
      const generator = await window.sdk.loadGenerator(url, { device });
      const { data, seed } = await generator.sample({ seed: 7, count: 16 });
      const scores = await generator.anomaly(data, { map: true });
      await generator.close();
      return {
        seed,
        shape: data.shape,
        values: Array.from(data.data),
        scores: scores.map(({ scores }) => scores[0]),
        map: Array.from(scores[0]?.map?.data ?? []),
        backend: generator.backend,
        fallbackReason: generator.fallbackReason,
        isolated: crossOriginIsolated,
      };
    },
    [bundle, device] as const,
  );
}

/** The pictures of 20 calls that overlap, and of the same calls one by one; one model where both addresses are one. */
function overlapping(target: Page, bundles: readonly [string, string]) {
  return target.evaluate(async ([first, second]) => {
    const one = await window.sdk.loadGenerator(first);
    const other = second === first ? one : await window.sdk.loadGenerator(second);
    const draw = async (i: number) => {
      const { data } = await (i % 2 ? other : one).sample({ seed: i, count: 2 });
      return Array.from(data.data);
    };
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    const overlapping = await Promise.all(numbers.map(draw));
    const serial: number[][] = [];
    for (const i of numbers) serial.push(await draw(i));
    await Promise.all([one.dispose(), other.dispose()]);
    return [overlapping, serial] as const;
  }, bundles);
}

describe('a model in the worker of a page', () => {
  it('gives the numbers of Node', async () => {
    const drawn = await inPage(page, host.bundle('tiny/1'));
    const { data, seed } = await inNode.sample({ seed: 7, count: 16 });
    const scores = await inNode.anomaly(data, { map: true });
    expect([drawn.seed, drawn.shape]).toEqual([seed, data.shape]);
    expect(largestDifference(drawn.values, data.data)).toBeLessThanOrEqual(1e-4);
    expect(largestDifference(drawn.map, scores[0]?.map?.data ?? [])).toBeLessThanOrEqual(1e-3);
    drawn.scores.forEach((score, row) => {
      expect(score?.pValue).toBeCloseTo(scores[row]?.scores[0]?.pValue ?? Number.NaN, 2);
    });
  });

  it('gives them in two threads on an isolated page, and says why it has one elsewhere', async () => {
    const inThreads = (target: Page) =>
      target.evaluate(async url => {
        const generator = await window.sdk.loadGenerator(url, { threads: 2 });
        const { data } = await generator.sample({ seed: 7, count: 16 });
        await generator.dispose();
        const { threads, threadsReason } = generator;
        return { threads, threadsReason, isolated: crossOriginIsolated, values: Array.from(data.data) };
      }, host.bundle('tiny/1'));
    const alone = await inThreads(page);
    expect(alone).toMatchObject({
      isolated: false,
      threads: 1,
      threadsReason: expect.stringMatching(/not .*isolated/),
    });
    host.isolated = true;
    // A visitor of its own: scripts that a browser kept without the headers of isolation are refused with them.
    const visitor = await browser.newContext();
    const visit = await visitor.newPage();
    await visit.goto(host.url);
    const together = await inThreads(visit);
    await visitor.close();
    expect(together).toMatchObject({ isolated: true, threads: 2 });
    expect(together.threadsReason).toBeUndefined();
    expect(largestDifference(together.values, alone.values)).toBeLessThan(1e-4);
  });

  it('settles 20 overlapping calls on one and on two models as serial ones do', async () => {
    for (const other of ['tiny/1', 'tiny-rows/1']) {
      const [together, alone] = await overlapping(page, [host.bundle('tiny/1'), host.bundle(other)]);
      expect(together).toEqual(alone);
      expect(together[0]).toHaveLength(512);
    }
  });

  it("works in an application's own worker", async () => {
    const values = await page.evaluate(
      url =>
        new Promise<number[]>((resolve, reject) => {
          const worker = window.startWorker();
          worker.onmessage = ({ data }: MessageEvent<number[]>) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.postMessage(url);
        }),
      host.bundle('tiny/1'),
    );
    expect(largestDifference(values, (await inNode.sample({ seed: 7 })).data.data)).toBeLessThanOrEqual(1e-4);
  });

  it('stops at an abort, at once, and goes on working', async () => {
    const result = await page.evaluate(async url => {
      const generator = await window.sdk.loadGenerator(url);
      const abort = new AbortController();
      const call = generator.sample({ count: 2_000_000, signal: abort.signal });
      await new Promise(resolve => setTimeout(resolve, 100));
      const start = performance.now();
      abort.abort();
      const reason = await call.then(
        () => 'none',
        (error: { reason?: string }) => error.reason,
      );
      const tookMs = performance.now() - start;
      const after = await generator.sample({ seed: 7 });
      return { reason, tookMs, first: after.data.data[0] };
    }, host.bundle('tiny/1'));
    expect(result.reason).toBe('CANCELLED');
    expect(result.tookMs).toBeLessThan(300);
    expect(result.first).toBeCloseTo((await inNode.sample({ seed: 7 })).data.data[0]!, 4);
  });

  it('stops loading at an abort, and loads afterwards', async () => {
    // The first half alone, and no end.
    host.broken.set('weights.bin', (response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, bytes.length / 2));
    });
    const { reason, tookMs } = await page.evaluate(async url => {
      const abort = new AbortController();
      let start = 0;
      const onProgress = ({ done, total }: { done: number; total?: number }) => {
        if (start > 0 || done * 3 < (total ?? done)) return;
        start = performance.now();
        abort.abort();
      };
      const reason = await window.sdk.loadGenerator(url, { signal: abort.signal, onProgress }).then(
        () => 'none',
        (error: { reason?: string }) => error.reason,
      );
      return { reason, tookMs: performance.now() - start };
    }, host.bundle('tiny/1'));
    expect(reason).toBe('CANCELLED');
    expect(tookMs).toBeLessThan(300);
    host.broken.clear();
    expect((await inPage(page, host.bundle('tiny/1'))).shape).toEqual([16, 16, 16, 1]);
  });

  it('ends a step that outlives its grace time, and makes the worker anew', async () => {
    const result = await page.evaluate(async url => {
      const workers = window.slowWorkers(200);
      const generator = await window.sdk.loadGenerator(url, { graceMs: 0 });
      const abort = new AbortController();
      const { data } = await generator.sample({ seed: 7 });
      const before = workers.count();
      const asked = workers.asked('log_prob');
      const call = generator.logLikelihood(data, { signal: abort.signal });
      await asked;
      abort.abort();
      const reason = await call.then(
        () => 'none',
        (error: { reason?: string }) => error.reason,
      );
      const others = await Promise.all([generator.sample({ seed: 7 }), generator.sample({ seed: 8 })]);
      return { reason, workers: [before, workers.count()], first: others.map(({ data }) => data.data[0]) };
    }, host.bundle('tiny/1'));
    expect(result.reason).toBe('CANCELLED');
    expect(result.first[0]).toBeCloseTo((await inNode.sample({ seed: 7 })).data.data[0]!, 4);
    expect(result.first[1]).toBeCloseTo((await inNode.sample({ seed: 8 })).data.data[0]!, 4);
    expect(result.workers).toEqual([1, 2]);
  });

  it('begins calls anew whose worker was ended for the sake of another', async () => {
    const result = await page.evaluate(async url => {
      const draw = async (seed: number) => (await generator.sample({ seed, count: 300 })).data.data;
      const workers = window.slowWorkers(50);
      const generator = await window.sdk.loadGenerator(url, { graceMs: 0 });
      const alone = [await draw(7), await draw(8)];
      const { data } = await generator.sample({ seed: 7 });
      let going = true;
      const beside = Promise.all([draw(7), draw(8)]).finally(() => {
        going = false;
      });
      const abort = new AbortController();
      const asked = workers.asked('log_prob');
      const call = generator.logLikelihood(data, { signal: abort.signal }).catch(() => undefined);
      await asked;
      abort.abort();
      await call;
      const wereGoing = going;
      const same = (await beside).every((pictures, i) => pictures.every((value, at) => value === alone[i]![at]));
      await generator.dispose();
      return { workers: workers.count(), wereGoing, same };
    }, host.bundle('mnist-vae/1'));
    expect(result).toEqual({ workers: 2, wereGoing: true, same: true });
  });

  it('leaves the page alive while it works', async () => {
    const [idle, busy] = await page.evaluate(async url => {
      const ticksPerSecond = async () => {
        let ticks = 0;
        const start = performance.now();
        const timer = setInterval(() => ticks++, 4);
        await new Promise(resolve => setTimeout(resolve, 1000));
        clearInterval(timer);
        return ticks / ((performance.now() - start) / 1000);
      };
      const generator = await window.sdk.loadGenerator(url);
      const idle = await ticksPerSecond();
      const abort = new AbortController();
      const call = generator.sample({ count: 5_000_000, signal: abort.signal }).catch(() => undefined);
      const busy = await ticksPerSecond();
      abort.abort();
      await call;
      return [idle, busy] as const;
    }, host.bundle('tiny/1'));
    console.log(`ticks of a 4 ms timer per second: ${Math.round(idle)} idle, ${Math.round(busy)} while sampling`);
    // A page that computes in its own thread has none. 200 of at most 256, or a fifth where other tests have the cores.
    expect(busy).toBeGreaterThan(Math.min(200, idle / 5));
  });
});

describe('what a page can be told when files are broken', () => {
  const missing: Answer = response => response.writeHead(404).end();
  const webPage: Answer = response => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');
  const truncated: Answer = (response, bytes) => response.end(bytes.subarray(0, 1000));
  const tampered: Answer = (response, bytes) => response.end(Buffer.concat([bytes.subarray(1), Buffer.from([1])]));
  const noMagic: Answer = (response, bytes) =>
    response.writeHead(200, { 'content-type': 'application/wasm' }).end(Buffer.alloc(bytes.length));

  it('names the file and what is wrong with it, five times, and then loads in the same page', async () => {
    const broken: [string, Answer, string, RegExp][] = [
      ['.wasm', missing, 'ASSET_UNREACHABLE', /ort-wasm-simd-threaded.*\.wasm answered 404/],
      ['.wasm', noMagic, 'ASSET_UNREACHABLE', /ort-wasm-simd-threaded.*\.wasm is not a WebAssembly file/],
      ['decode.onnx', missing, 'ASSET_UNREACHABLE', /tiny\/1\/decode\.onnx answered 404/],
      ['weights.bin', truncated, 'INTEGRITY_MISMATCH', /weights\.bin has 1000 bytes/],
      ['weights.bin', tampered, 'INTEGRITY_MISMATCH', /weights\.bin has SHA-256/],
      ['sample.onnx', webPage, 'ASSET_UNREACHABLE', /sample\.onnx answered a web page/],
    ];
    for (const [file, answer, reason, message] of broken) {
      host.broken.clear();
      host.broken.set(file, answer);
      const error = await page.evaluate(async url => {
        await window.sdk.clearCache();
        const failure = await window.sdk.loadGenerator(url).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        return failure instanceof window.sdk.GenserveError ? failure.toJSON() : String(failure);
      }, host.bundle('tiny/1'));
      expect(error).toMatchObject({ reason, message: expect.stringMatching(message) });
    }
    host.broken.clear();
    expect((await inPage(page, host.bundle('tiny/1'))).shape).toEqual([16, 16, 16, 1]);
  });

  it('names a worker script that cannot be had', async () => {
    const error = await page.evaluate(
      async url =>
        window.sdk.loadGenerator(url, { assets: { worker: '/assets/none.js' } }).then(
          () => undefined,
          (failure: { reason: string; message: string }) => ({ reason: failure.reason, message: failure.message }),
        ),
      host.bundle('tiny/1'),
    );
    expect(error?.reason).toBe('ASSET_UNREACHABLE');
    expect(error?.message).toContain('/assets/none.js');
  });
});

describe('the second visit', () => {
  it('needs no network: not for the bundle, and not for onnxruntime', async () => {
    // With a profile on disk, as a visitor has it: what a private window keeps is too small for onnxruntime.
    const profile = await mkdtemp(join(tmpdir(), 'genserve-profile-'));
    const visitor = await chromium.launchPersistentContext(profile, chromiumOptions);
    try {
      const visit = await visitor.newPage();
      await visit.goto(host.url);
      const first = await inPage(visit, host.bundle('tiny/1'));
      await visit.reload();
      host.requests.length = 0;
      await visitor.setOffline(true);
      const second = await inPage(visit, host.bundle('tiny/1'));
      expect(second.values).toEqual(first.values);
      expect(host.requests).toEqual([]);
    } finally {
      await visitor.close();
      await rm(profile, { recursive: true });
    }
  });

  it('sees a bundle that was made anew, fetching only what changed', async () => {
    await inPage(page, host.bundle('tiny/1'));
    host.requests.length = 0;
    await inPage(page, host.bundle('tiny/1'));
    expect(host.requests.filter(path => path.startsWith('/bundles'))).toEqual(['/bundles/tiny/1/manifest.json']);
  });

  it('mends a kept file that was damaged', async () => {
    await inPage(page, host.bundle('tiny/1'));
    const kept = await page.evaluate(async () => {
      const cache = await caches.open('genserve-1');
      const keys = (await cache.keys()).filter(({ url }) => url.includes('/sha256/'));
      await Promise.all(keys.map(key => cache.put(key, new Response('damaged'))));
      return keys.length;
    });
    expect(kept).toBeGreaterThan(1);
    expect((await inPage(page, host.bundle('tiny/1'))).shape).toEqual([16, 16, 16, 1]);
  });

  it('works where storage is full, and says so once', async () => {
    const [warnings, kept] = await page.evaluate(async url => {
      Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
      const warnings: string[] = [];
      const generator = await window.sdk.loadGenerator(url, { onWarning: ({ reason }) => warnings.push(reason) });
      await generator.sample();
      await generator.dispose();
      return [warnings, await window.sdk.listCache()] as const;
    }, host.bundle('tiny/1'));
    expect(warnings).toEqual(['STORAGE_FULL']);
    expect(kept).toEqual([]);
  });

  it('lists what is kept, and forgets one bundle of it without the files that another needs', async () => {
    const [listed, evicted, left] = await page.evaluate(
      async ([tiny, rows]) => {
        const { loadGenerator, listCache, evictFromCache } = window.sdk;
        for (const url of [tiny, rows]) await (await loadGenerator(url)).dispose();
        const listed = await listCache();
        const evicted = [await evictFromCache(tiny), await evictFromCache(tiny)];
        return [listed, evicted, await listCache()] as const;
      },
      [host.bundle('tiny/1'), host.bundle('tiny-rows/1')] as const,
    );
    const total = inNode.manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(listed.map(({ name, version }) => [name, version])).toEqual([
      ['tiny', 1],
      ['tiny-rows', 1],
    ]);
    expect(listed[0]).toMatchObject({ url: host.bundle('tiny/1'), bytes: total });
    expect(evicted).toEqual([true, false]);
    expect(left).toEqual(listed.slice(1));
    host.requests.length = 0;
    await page.evaluate(async url => {
      await (await window.sdk.loadGenerator(url)).dispose();
    }, host.bundle('tiny-rows/1'));
    expect(host.requests.filter(path => path.startsWith('/bundles'))).toEqual(['/bundles/tiny-rows/1/manifest.json']);
  });
});

describe('the choice of backend', () => {
  it('is WebAssembly where WebGPU has no adapter, and says so', async () => {
    const { backend, fallbackReason } = await inPage(page, host.bundle('tiny/1'));
    expect(backend).toBe('wasm');
    expect(fallbackReason).toMatch(/no adapter|no WebGPU/);
    expect(host.requests.filter(path => /jspi|asyncify/.test(path))).toEqual([]);
  });

  it('goes back to WebAssembly where WebGPU fails after all, with the reason and the right numbers', async () => {
    await page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, 'gpu', { get: () => ({ requestAdapter: async () => ({}) }) });
    });
    await page.goto(host.url);
    const drawn = await inPage(page, host.bundle('tiny/1'));
    expect(drawn.backend).toBe('wasm');
    expect(drawn.fallbackReason).toMatch(/webgpu/i);
    expect(largestDifference(drawn.values, (await inNode.sample({ seed: 7, count: 16 })).data.data)).toBeLessThan(1e-4);
  });

  describe('where there is an adapter (SwiftShader)', () => {
    let withGpu: Browser;
    let gpuPage: Page;
    beforeAll(async () => {
      withGpu = await chromium.launch(webGpuOptions);
    });
    beforeEach(async () => {
      gpuPage = await withGpu.newPage();
      await gpuPage.goto(host.url);
    });
    afterEach(() => gpuPage.close());
    afterAll(() => withGpu?.close());

    it('is WebGPU, with the same numbers, for overlapping calls too', async () => {
      const drawn = await inPage(gpuPage, host.bundle('tiny/1'));
      expect(drawn.fallbackReason).toBeUndefined();
      expect(drawn.backend).toBe('webgpu');
      const { data } = await inNode.sample({ seed: 7, count: 16 });
      expect(largestDifference(drawn.values, data.data)).toBeLessThan(1e-4);
      for (const other of ['tiny/1', 'tiny-rows/1']) {
        const [together, alone] = await overlapping(gpuPage, [host.bundle('tiny/1'), host.bundle(other)]);
        expect(together).toEqual(alone);
      }
    });

    it.each([
      ['the device is lost while a graph runs', 'lost', /device was lost/],
      ['the GPU gives NaN', 'nan', /NaN on WebGPU/],
    ])('goes on with WebAssembly when %s, with the right numbers', async (_when, fault, reason) => {
      const drawn = await gpuPage.evaluate(
        async ([url, fault]) => {
          const assets = { worker: `${window.failingWorker}?${fault}` };
          const generator = await window.sdk.loadGenerator(url, { assets });
          const before = generator.backend;
          const { data } = await generator.sample({ seed: 7, count: 2 });
          await generator.dispose();
          return { before, after: generator.backend, reason: generator.fallbackReason, values: Array.from(data.data) };
        },
        [host.bundle('tiny/1'), fault] as const,
      );
      expect(drawn).toMatchObject({ before: 'webgpu', after: 'wasm', reason: expect.stringMatching(reason) });
      const { data } = await inNode.sample({ seed: 7, count: 2 });
      expect(largestDifference(drawn.values, data.data)).toBeLessThan(1e-4);
    });

    it('is made anew after a loss where WebGPU was asked for by name', async () => {
      const first = await gpuPage.evaluate(async url => {
        const assets = { worker: `${window.failingWorker}?once` };
        const generator = await window.sdk.loadGenerator(url, { device: 'webgpu', assets });
        const { data } = await generator.sample({ seed: 7 });
        await generator.dispose();
        return { backend: generator.backend, value: data.data[0] };
      }, host.bundle('tiny/1'));
      expect(first.backend).toBe('webgpu');
      expect(first.value).toBeCloseTo((await inNode.sample({ seed: 7 })).data.data[0]!, 4);
    });
  });
});

describe('the shipped auto-encoder', () => {
  it.each(['float32', 'float16'] as const)(
    'draws the pictures of Node in %s, within what is stated',
    async precision => {
      const url = host.bundle('mnist-vae/1');
      await using reference = await loadGenerator(url);
      const drawn = await page.evaluate(
        async ([url, precision]) => {
          const generator = await window.sdk.loadGenerator(url, precision === 'float16' ? {} : { precision });
          const { data } = await generator.sample({ seed: 7, count: 16 });
          return { precision: generator.precision, values: Array.from(data.data) };
        },
        [url, precision] as const,
      );
      // Half precision is the default of browsers; Node's is single.
      expect([drawn.precision, reference.precision]).toEqual([precision, 'float32']);
      const { data } = await reference.sample({ seed: 7, count: 16 });
      const difference = largestDifference(drawn.values, data.data);
      console.log(`mnist-vae in ${precision}: pictures differ from Node's by ${difference} at most`);
      const stated = reference.manifest.variants.find(({ name }) => name === precision)?.maxError;
      expect(difference).toBeLessThanOrEqual(stated ?? 1e-4);
      const weights = host.requests.filter(path => path.endsWith('weights.bin') && path.includes('mnist-vae'));
      expect(weights.at(-1)).toBe(`/bundles/mnist-vae/1/${precision === 'float16' ? 'float16/' : ''}weights.bin`);
    },
  );
});

describe('a page that loads and disposes of a model over and over', () => {
  // In full, over cycles 50 to 200, in tests/slow.
  it('does not grow by what a cycle takes', async () => {
    const growth = await memoryGrowth(chromiumOptions, host.url, host.bundle('mnist-vae/1'), 4, 8);
    console.log(`4 cycles: ${(growth / 1e6).toFixed(1)} MB`);
    // The memory of WebAssembly alone, kept, would be 16 MB a cycle.
    expect(growth).toBeLessThan(40e6);
  }, 120_000);
});

describe('pictures', () => {
  it('become canvases, blobs and data again without a change', async () => {
    const result = await page.evaluate(async url => {
      const { loadGenerator, toCanvas, toBlob, toImageData, fromPixels } = window.sdk;
      const generator = await loadGenerator(url);
      const { data } = await generator.sample({ seed: 7, count: 5 });
      const canvas = toCanvas(data, { columns: 3, gap: 1 });
      const blob = await toBlob(data);
      const one = await generator.sample({ seed: 7, count: 1 });
      const again = fromPixels(toImageData(one.data), generator.manifest);
      return {
        size: [canvas.width, canvas.height],
        type: blob.type,
        difference: Math.max(...Array.from(again.data, (value, i) => Math.abs(value - (one.data.data[i] ?? 2)))),
      };
    }, host.bundle('tiny/1'));
    expect(result.size).toEqual([3 * 17 - 1, 2 * 17 - 1]);
    expect(result.type).toBe('image/png');
    expect(result.difference).toBeLessThanOrEqual(0.5 / 255 + 1e-6);
  });
});
