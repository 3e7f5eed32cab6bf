// `genserve bench sdk`: time to the first picture from a cold and from a warm cache, and steady sampling beside
// onnxruntime-web called by hand, in headless Chromium on WASM.
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium } from 'playwright-core';
import { build } from 'vite';
import { type Report, table } from '../report.js';
import { median } from '../statistics.js';
import { serveFolders } from './host.js';

export interface SdkBenchOptions {
  /** Folder of bundles; 'models' when absent. */
  readonly models?: string | undefined;
  /** 'mnist-vae' when absent. */
  readonly model?: string | undefined;
  /** Visits of each kind, and turns of each side; 5 when absent. */
  readonly rounds?: number | undefined;
  /** Of each turn; 2 when absent. */
  readonly seconds?: number | undefined;
  /** Debian's Chromium when absent. */
  readonly chromium?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** What benchmarks/pages/sdk/main.js leaves on its window. */
interface PageFigures {
  readonly firstPictureMs?: number;
  prepare(count: number): Promise<void>;
  turn(side: string, milliseconds: number): Promise<number>;
}

/** Pictures of a call: what a call costs besides its run counts for less in a larger one. */
const counts = [16, 64, 256] as const;

const page = fileURLToPath(new URL('../../pages/sdk', import.meta.url));

export async function benchSdk(options: SdkBenchOptions = {}): Promise<Report> {
  const { models = 'models', model = 'mnist-vae', rounds = 5, seconds = 2, log = () => {} } = options;
  const load = loadavg()[0]!;
  if (load > 0.5) log(`warning: the load average is ${load.toFixed(2)}; timings hold on an idle machine only`);
  const scratch = await mkdtemp(join(tmpdir(), 'genserve-bench-sdk-'));
  const outDir = join(scratch, 'page');
  await build({ root: page, configFile: false, logLevel: 'error', base: './', build: { outDir, target: 'es2022' } });
  const host = await serveFolders({ '/': outDir, '/bundles/': models });
  const address = `${host.url}?bundle=${host.url}bundles/${model}/1/`;
  const open = (profile: string) =>
    chromium.launchPersistentContext(join(scratch, profile), {
      executablePath: options.chromium ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    });
  try {
    const visits = { cold: [] as number[], warm: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      const context = await open(`profile-${round}`);
      for (const kind of ['cold', 'warm'] as const) visits[kind].push(await firstPictureMs(context, address));
      await context.close();
      log(`round ${round + 1}: ${visits.cold.at(-1)?.toFixed(0)} ms cold, ${visits.warm.at(-1)?.toFixed(0)} ms warm`);
    }
    const context = await open('profile-0');
    const rates: Record<number, Rates> = {};
    for (const count of counts) rates[count] = await steadyRates(context, address, count, rounds, seconds);
    await context.close();
    const [cold, warm] = [median(visits.cold), median(visits.warm)];
    const steady = counts.map(count => {
      const [sdk, raw] = [median(rates[count]!.sdk), median(rates[count]!.raw)];
      return { count, sdk, raw };
    });
    return {
      metrics: {
        [`sdk.${model}.first_picture_ms.cold`]: cold,
        [`sdk.${model}.first_picture_ms.warm`]: warm,
        ...Object.fromEntries(
          steady.flatMap(({ count, sdk, raw }) => [
            [`sdk.${model}.pictures_per_second.${count}`, sdk],
            [`sdk.${model}.raw_pictures_per_second.${count}`, raw],
            [`sdk.${model}.fraction_of_raw.${count}`, sdk / raw],
          ]),
        ),
      },
      context: { rounds, seconds, load_average: load, visits, rates },
      table: table([
        ['', 'first picture, cold', 'warm', 'pictures a call', 'pictures/s', 'onnxruntime-web by hand'],
        ...steady.map(({ count, sdk, raw }) => [
          ...[model, `${cold.toFixed(0)} ms`, `${warm.toFixed(0)} ms`],
          ...[String(count), sdk.toFixed(0), raw.toFixed(0)],
        ]),
      ]),
    };
  } finally {
    await host.close();
    await rm(scratch, { recursive: true });
  }
}

async function firstPictureMs(context: BrowserContext, address: string): Promise<number> {
  const visit = await context.newPage();
  await visit.goto(address);
  const figure = await visit.waitForFunction(() => (globalThis as unknown as PageFigures).firstPictureMs, undefined, {
    timeout: 120_000,
  });
  const milliseconds = Number(await figure.jsonValue());
  await visit.close();
  return milliseconds;
}

interface Rates {
  readonly sdk: number[];
  readonly raw: number[];
}

/** Pictures per second of each turn, the sides in turns. */
async function steadyRates(
  context: BrowserContext,
  address: string,
  count: number,
  rounds: number,
  seconds: number,
): Promise<Rates> {
  const visit = await context.newPage();
  await visit.goto(address);
  await visit.waitForFunction(() => (globalThis as unknown as PageFigures).prepare !== undefined);
  await visit.evaluate(count => (globalThis as unknown as PageFigures).prepare(count), count);
  const rates: Rates = { sdk: [], raw: [] };
  const turn = (side: 'sdk' | 'raw', milliseconds: number) =>
    visit.evaluate(([side, ms]) => (globalThis as unknown as PageFigures).turn(side, ms), [
      side,
      milliseconds,
    ] as const);
  for (const side of ['sdk', 'raw'] as const) await turn(side, 500);
  for (let round = 0; round < rounds; round++)
    for (const side of ['sdk', 'raw'] as const) rates[side].push(await turn(side, seconds * 1000));
  await visit.close();
  return rates;
}
