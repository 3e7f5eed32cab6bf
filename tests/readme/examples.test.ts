// README's examples, executed as they are written there, against a server on the ports that it names.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import sharp from 'sharp';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chromiumOptions } from '../support/chromium.js';
import { packedProject } from '../support/packed.js';
import { models, root } from '../support/paths.js';
import { type ServedModels, serve } from '../support/serve.js';
import { serveStatic } from '../support/static.js';

const run = promisify(execFile);
const readme = readFileSync(`${root}README.md`, 'utf8');

/** The fenced block that follows `<!-- example: name -->`. */
function example(name: string): string {
  const block = new RegExp(`<!-- example: ${name} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``).exec(readme)?.[1];
  if (block === undefined) throw new Error(`README.md has no example ${name}`);
  return block;
}

// Below node_modules, so that the examples find the packages as they would in a project that installed them.
mkdirSync(`${root}node_modules/.cache`, { recursive: true });
const folder = mkdtempSync(`${root}node_modules/.cache/readme-`);
let served: ServedModels;
beforeAll(async () => {
  served = await serve({ httpPort: 8080, grpcPort: 50051 });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

it('the commands that the server names on its start work as they stand', async () => {
  const lines = served.server.exampleCalls().split('\n');
  const commands = lines.flatMap(line => /curl .*/.exec(line)?.[0] ?? []);
  expect(lines.map(line => line.split(' ')[0])).toEqual(
    expect.arrayContaining(['models', 'samples', 'numbers', 'anomaly', 'likelihood']),
  );
  const project = `${folder}/start`;
  mkdirSync(project);
  symlinkSync(`${root}docs`, `${project}/docs`);
  for (const command of commands)
    await run('sh', ['-c', command.replace('curl', 'curl --fail-with-body -sS')], { cwd: project, maxBuffer: 1 << 24 });
  expect((await sharp(`${project}/samples.png`).metadata()).format).toBe('png');
});

it('grpc.mjs writes four pictures of the size of a digit', async () => {
  writeFileSync(`${folder}/grpc.mjs`, example('grpc.mjs'));
  await run(process.execPath, ['grpc.mjs'], { cwd: folder });
  for (const index of [0, 1, 2, 3]) {
    const { width, height } = await sharp(`${folder}/digit-${index}.png`).metadata();
    expect([width, height]).toEqual([28, 28]);
  }
});

it('anomaly.sh prints a p-value, a decision and a map', async () => {
  const { stdout } = await run('sh', ['-c', example('anomaly.sh')], { cwd: root, maxBuffer: 1 << 24 });
  const { results } = JSON.parse(stdout);
  expect(results).toHaveLength(1);
  expect(results[0].scores[0].pValue).toBeGreaterThan(0.01);
  expect(results[0].scores[0].decision).toBe('normal');
  expect(results[0].map.shape).toEqual([28, 28]);
  // What README says comes back: numbers to its places, base64 shortened.
  const [shown] = JSON.parse(example('anomaly.json')).results;
  const { value, pValue, ...rest } = results[0].scores[0];
  const { value: shownValue, pValue: shownP, ...shownRest } = shown.scores[0];
  expect(value).toBeCloseTo(shownValue, 2);
  expect(pValue).toBeCloseTo(shownP, 4);
  expect(rest).toEqual(shownRest);
  const beginning = (text: string) => text.replace(/\.\.\.$/, '');
  expect(results[0].map.data.startsWith(beginning(shown.map.data))).toBe(true);
  expect(results[0].mapImage.startsWith(beginning(shown.mapImage))).toBe(true);
});

it('inference.sh samples over the Open Inference Protocol', async () => {
  const { stdout } = await run('sh', ['-c', example('inference.sh')], { cwd: root, maxBuffer: 1 << 24 });
  expect(JSON.parse(stdout)).toMatchObject({ parameters: { seed: 7 }, outputs: [{ shape: [2, 28, 28, 1] }] });
});

it('batch.sh trains and exports what its plan says', async () => {
  const project = mkdtempSync(`${tmpdir()}/genserve-readme-`);
  try {
    // The repository as its user sees it, but for what the plan writes: runs/ and models/.
    for (const name of ['node_modules', 'recipes']) symlinkSync(`${root}${name}`, `${project}/${name}`);
    const { stdout } = await run('sh', ['-c', example('batch.sh')], { cwd: project, maxBuffer: 1 << 24 });
    expect(stdout).toMatch(/nll/i);
    expect(existsSync(`${project}/models`)).toBe(true);
  } finally {
    rmSync(project, { recursive: true });
  }
}, 180_000);

it('browser.html draws sixteen digits in Chromium, from the packed SDK', async () => {
  using project = packedProject();
  const page = `${project.folder}/page`;
  mkdirSync(page);
  writeFileSync(`${page}/index.html`, example('browser.html'));
  await build({ root: page, configFile: false, logLevel: 'error', build: { target: 'es2022', outDir: 'dist' } });
  await using host = await serveStatic({ '/': `${page}/dist`, '/bundles/': models });
  const browser = await chromium.launch(chromiumOptions);
  try {
    const tab = await browser.newPage();
    await tab.goto(host.url);
    await tab.waitForFunction(() => document.querySelector<HTMLCanvasElement>('#digits')!.width === 4 * 28);
    const ink = await tab.evaluate(() => {
      const { width, height } = document.querySelector<HTMLCanvasElement>('#digits')!;
      const context = document.querySelector<HTMLCanvasElement>('#digits')!.getContext('2d')!;
      return context.getImageData(0, 0, width, height).data.filter((value, i) => i % 4 === 0 && value > 127).length;
    });
    expect(ink).toBeGreaterThan(16 * 28);
  } finally {
    await browser.close();
  }
}, 120_000);
