// `genserve bench sdk`: time to the first picture from a cold and from a warm cache, and steady sampling, call after
// call, beside onnxruntime-web called by hand, in headless Chromium on WASM. By hand is both in the page itself, which
// stands still meanwhile and has no messages to wait for, and in a worker, where the SDK runs it too.
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
  turn(side: Side, milliseconds: number): Promise<number>;
}

const sides = ['sdk', 'raw', 'raw_in_worker'] as const;
type Side = (typeof sides)[number];
/** Pictures per second of each turn. */
type Rates = Readonly<Record<Side, number[]>>;

/** Pictures of a call: what a call costs besides its run counts for less in a larger one. */
const counts = [16, 64, 256] as const;

/** A first picture with the SDK and, for comparison, with onnxruntime-web alone; the former measures steady sampling, too. */
const pages = { sdk: 'index.html', byHand: 'first-by-hand.html' } as const;

/** Milliseconds until the first picture. */
interface Visits {
  readonly cold: number[];
  readonly warm: number[];
}

const page = fileURLToPath(new URL('../../pages/sdk', import.meta.url));

export async function benchSdk(options: SdkBenchOptions = {}): Promise<Report> {
  const { models = 'models', model = 'mnist-vae', rounds = 5, seconds = 2, log = () => {} } = options;
  const load = loadavg()[0]!;
  if (load > 0.5) log(`warning: the load average is ${load.toFixed(2)}; timings hold on an idle machine only`);
  const scratch = await mkdtemp(join(tmpdir(), 'genserve-bench-sdk-'));
  const outDir = join(scratch, 'page');
  await build({
    root: page,
    configFile: false,
    logLevel: 'error',
    base: './',
    worker: { format: 'es' },
    build: { outDir, target: 'es2022', rollupOptions: { input: Object.values(pages).map(name => join(page, name)) } },
  });
  const host = await serveFolders({ '/': outDir, '/bundles/': models });
  const addressOf = (name: string) => `${host.url}${name}?bundle=${host.url}bundles/${model}/1/`;
  const address = addressOf(pages.sdk);
  const open = (profile: string) =>
    chromium.launchPersistentContext(join(scratch, profile), {
      executablePath: options.chromium ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    });
  try {
    const visits = { sdk: { cold: [], warm: [] } as Visits, byHand: { cold: [], warm: [] } as Visits };
    for (let round = 0; round < rounds; round++) {
      for (const side of ['sdk', 'byHand'] as const) {
        const context = await open(`profile-${side}-${round}`);
        const { cold, warm } = visits[side];
        for (const kind of [cold, warm]) kind.push(await firstPictureMs(context, addressOf(pages[side])));
        await context.close();
        log(
          `round ${round + 1}, ${pages[side]}: ${cold.at(-1)?.toFixed(0)} ms cold, ${warm.at(-1)?.toFixed(0)} ms warm`,
        );
      }
    }
    const context = await open('profile-sdk-0');
    const rates: Record<number, Rates> = {};
    for (const count of counts) rates[count] = await steadyRates(context, address, count, rounds, seconds);
    await context.close();
    const [cold, warm] = [median(visits.sdk.cold), median(visits.sdk.warm)];
    const byHand = { cold: median(visits.byHand.cold), warm: median(visits.byHand.warm) };
    const steady = counts.map(count => {
      const [sdk, raw, inWorker] = sides.map(side => median(rates[count]![side])) as [number, number, number]; // one each
      return { count, sdk, raw, inWorker };
    });
    return {
      metrics: {
        [`sdk.${model}.first_picture_ms.cold`]: cold,
        [`sdk.${model}.first_picture_ms.warm`]: warm,
        [`sdk.${model}.first_picture_by_hand_ms.cold`]: byHand.cold,
        [`sdk.${model}.first_picture_by_hand_ms.warm`]: byHand.warm,
        [`sdk.${model}.first_picture_vs_by_hand.cold`]: cold / byHand.cold,
        [`sdk.${model}.first_picture_vs_by_hand.warm`]: warm / byHand.warm,
        ...Object.fromEntries(
          steady.flatMap(({ count, sdk, raw, inWorker }) => [
            [`sdk.${model}.pictures_per_second.${count}`, sdk],
            [`sdk.${model}.raw_pictures_per_second.${count}`, raw],
            [`sdk.${model}.raw_in_worker_pictures_per_second.${count}`, inWorker],
            [`sdk.${model}.fraction_of_raw.${count}`, sdk / raw],
            [`sdk.${model}.fraction_of_raw_in_worker.${count}`, sdk / inWorker],
          ]),
        ),
      },
      context: { rounds, seconds, load_average: load, raw: 'in the page, which stands still meanwhile', visits, rates },
      table: table([
        [
          ...['', 'first picture, cold', 'by hand', 'warm', 'by hand'],
          ...['pictures a call', 'pictures/s', 'by hand', 'by hand in a worker'],
        ],
        ...steady.map(({ count, sdk, raw, inWorker }) => [
          ...[model, ...[cold, byHand.cold, warm, byHand.warm].map(ms => `${ms.toFixed(0)} ms`), String(count)],
          ...[sdk, raw, inWorker].map(rate => rate.toFixed(0)),
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
  const rates: Rates = { sdk: [], raw: [], raw_in_worker: [] };
  const turn = (side: Side, milliseconds: number) =>
    visit.evaluate(([side, ms]) => (globalThis as unknown as PageFigures).turn(side, ms), [
      side,
      milliseconds,
    ] as const);
  for (const side of sides) await turn(side, 500);
  for (let round = 0; round < rounds; round++)
    for (const side of sides) rates[side].push(await turn(side, seconds * 1000));
  await visit.close();
  return rates;
}
