// The packed SDK, before its users find out: its exports and types, and that it draws in Node, on a plain page, in a
// Vite application, in React and as an element.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { publint } from 'publint';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromiumOptions } from '../support/chromium.js';
import { type PackedProject, packedProject } from '../support/packed.js';
import { models, root } from '../support/paths.js';
import { serveStatic } from '../support/static.js';

const run = promisify(execFile);
let project: PackedProject;
let browser: Browser;

beforeAll(async () => {
  project = packedProject();
  browser = await chromium.launch(chromiumOptions);
}, 120_000);
afterAll(async () => {
  await browser?.close();
  project?.[Symbol.dispose]();
});

/** Opens a page and waits until this canvas holds 16 digits with ink in each row of them. */
async function digitsOn(url: string, canvas: string): Promise<void> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', error => complaints.push(error.message));
  try {
    await page.goto(url);
    await waitForInk(page, canvas);
  } catch (error) {
    throw new Error(`${canvas} stayed empty: ${complaints.join('; ')}`, { cause: error });
  } finally {
    await page.close();
  }
}

async function waitForInk(page: Page, selector: string): Promise<void> {
  await page.waitForFunction(
    selector => {
      // An open shadow root is looked into, as the element has one.
      const [host, inner] = selector.split(' >>> ');
      const outer = document.querySelector(host ?? '');
      const canvas = inner ? outer?.shadowRoot?.querySelector(inner) : outer;
      if (!(canvas instanceof HTMLCanvasElement) || canvas.width !== 4 * 28) return false;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 0 && value > 127).length > 16 * 28;
    },
    selector,
    { timeout: 50_000 },
  );
}

it('has exports that publint finds no fault with', async () => {
  const { messages } = await publint({ pkgDir: `${project.folder}/node_modules/@genserve/sdk`, strict: true });
  expect(messages).toEqual([]);
});

it('has types that every kind of import of an ES module finds', async () => {
  const result = await checkPackage(createPackageFromTarballData(readFileSync(project.tarball)), {
    excludeEntrypoints: [/^\.\/(browser|package\.json)/],
  });
  const problems = 'problems' in result ? result.problems : [];
  // The package is for ES modules alone: `require` and resolution of before `exports` are not for it.
  const relevant = problems.filter(
    problem => !('resolutionKind' in problem) || ['node16-esm', 'bundler'].includes(problem.resolutionKind),
  );
  expect(result.types).toBeTruthy();
  expect(relevant).toEqual([]);
});

it('draws in Node', async () => {
  await using host = await serveStatic({ '/bundles/': models });
  const script = `import { loadGenerator } from '@genserve/sdk';
    const generator = await loadGenerator('${host.url}bundles/mnist-vae/1/');
    const { data } = await generator.sample({ count: 2, seed: 7 });
    console.log(generator.backend, data.shape.join())
    await generator.dispose();`;
  writeFileSync(`${project.folder}/draw.mjs`, script);
  const { stdout } = await run(process.execPath, ['draw.mjs'], { cwd: project.folder });
  expect(stdout.trim()).toBe('wasm 2,28,28,1');
});

it('draws on a plain page, with onnxruntime-web where it says', async () => {
  const page = `${project.folder}/plain`;
  mkdirSync(page);
  writeFileSync(
    `${page}/index.html`,
    `<!doctype html><canvas id="digits"></canvas><script type="module">
      import { loadGenerator, toCanvas } from '/genserve/index.js';
      const assets = { wasm: { module: '/onnxruntime/ort.wasm.bundle.min.mjs' } };
      const generator = await loadGenerator('/bundles/mnist-vae/1/', { assets });
      const { data } = await generator.sample({ count: 16, seed: 7 });
      toCanvas(data, { canvas: document.querySelector('#digits') });
    </script>`,
  );
  await using host = await serveStatic({
    '/': page,
    '/bundles/': models,
    '/genserve/': `${project.folder}/node_modules/@genserve/sdk/dist/browser`,
    '/onnxruntime/': `${root}node_modules/onnxruntime-web/dist`,
  });
  await digitsOn(host.url, '#digits');
}, 90_000);

it('draws in a Vite application: as an element, and in React', async () => {
  const page = `${project.folder}/application`;
  mkdirSync(page);
  writeFileSync(
    `${page}/index.html`,
    `<!doctype html><div id="root"></div>
    <genserve-samples src="/bundles/mnist-vae/1/" seed="7" count="16"></genserve-samples>
    <script type="module" src="./main.js"></script>`,
  );
  writeFileSync(
    `${page}/main.js`,
    `import '@genserve/sdk/element';
    import { toCanvas } from '@genserve/sdk';
    import { useGenerator, useSamples } from '@genserve/sdk/react';
    import { createElement, StrictMode, useEffect, useRef } from 'react';
    import { createRoot } from 'react-dom/client';

    function Digits() {
      const { generator } = useGenerator('/bundles/mnist-vae/1/');
      const { samples } = useSamples(generator, { count: 16, seed: 7 });
      const canvas = useRef(null);
      useEffect(() => {
        if (samples) toCanvas(samples.data, { canvas: canvas.current });
      }, [samples]);
      return createElement('canvas', { id: 'digits', ref: canvas });
    }
    createRoot(document.querySelector('#root')).render(createElement(StrictMode, null, createElement(Digits)));`,
  );
  await build({ root: page, configFile: false, logLevel: 'error', build: { target: 'es2022' } });
  await using host = await serveStatic({ '/': `${page}/dist`, '/bundles/': models });
  await digitsOn(host.url, '#digits');
  await digitsOn(host.url, 'genserve-samples >>> canvas');
}, 120_000);
