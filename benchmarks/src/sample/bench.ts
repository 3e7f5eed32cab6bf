// `genserve bench sample`: drawing pixels with caches beside a full forward pass for each, and images per second.
import { existsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { invalid } from '@genserve/runtime';
import { openGenerator, versions } from '@genserve/trainer';
import { type Report, table } from '../report.js';
import { isRasterModel, measureSpeedup, type Speedup } from './speedup.js';
import { measureThroughput } from './throughput.js';

export interface SampleBenchOptions {
  /** The model repository. */
  readonly models: string;
  /** Names of models; all when absent. */
  readonly only?: readonly string[] | undefined;
  /** Images drawn at once; 1, 2, 4, ..., 256 when absent. */
  readonly batches?: readonly number[] | undefined;
  /** Of both sides; 2 when absent. */
  readonly threads?: number | undefined;
  /** Full forward passes that are timed; 30 when absent. */
  readonly passes?: number | undefined;
  /** Turns; 3 when absent. */
  readonly rounds?: number | undefined;
  /** Images of a request when images per second are counted; 16 when absent. */
  readonly count?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * Speed-ups by batch, with a GPU and a network of 160 filters: Ramachandran et al. 2017, "Fast Generation for
 * Convolutional Autoregressive Models", figure 3, as read in the README of PrajitR/fast-pixel-cnn.
 */
const PUBLISHED: Readonly<Record<number, number>> = {
  1: 2,
  2: 4,
  4: 6,
  8: 10,
  16: 18,
  32: 33,
  64: 61,
  128: 109,
  256: 183,
};
/** At batch 1 more is asked for than was published. */
const LEAST_AT_ONE = 10;

export async function benchSample(options: SampleBenchOptions): Promise<Report> {
  const { models, only, threads = 2, passes = 30, rounds = 3, count = 16, log = () => {} } = options;
  const batches = options.batches ?? Object.keys(PUBLISHED).map(Number);
  if (!existsSync(models)) throw invalid('models', `${models} does not exist`);
  const load = loadavg()[0]!;
  if (load > 0.5) log(`warning: the load average is ${load.toFixed(2)}; timings hold on an idle machine only`);
  const metrics: Record<string, number> = {};
  const tables: string[] = [];

  const throughputs = await measureThroughput({ models, count, rounds, only }, ({ model, imagesPerSecond }) => {
    log(`${model}: ${perSecond(imagesPerSecond.server)} images/s served, ${perSecond(imagesPerSecond.wasm)} in WASM`);
    metrics[`sample.${model}.images_per_second.server`] = imagesPerSecond.server;
    metrics[`sample.${model}.images_per_second.wasm`] = imagesPerSecond.wasm;
  });
  const rates = throughputs.map(({ model, imagesPerSecond: { server, wasm } }) => [
    model,
    perSecond(server),
    perSecond(wasm),
  ]);
  tables.push(table([['images/s', 'server', 'WASM'], ...rates]));

  for (const { model, version } of throughputs) {
    const generator = await openGenerator(join(models, model, String(version)), { threads });
    try {
      if (!isRasterModel(generator)) continue;
      const family = generator.manifest.family!.name;
      const points: Speedup[] = [];
      for (const batch of batches) {
        const point = await measureSpeedup(generator, { batch, passes, rounds });
        log(`${model}, batch ${batch}: ${point.ratio.toFixed(1)} times faster with caches`);
        points.push(point);
        metrics[`sample.${family}.speedup.b${batch}`] = point.ratio;
        metrics[`sample.${family}.cached_seconds.b${batch}`] = point.cachedSeconds;
        metrics[`sample.${family}.naive_seconds.b${batch}`] = point.naiveSeconds;
      }
      tables.push(speedupTable(model, points));
    } finally {
      await generator.close();
    }
  }
  const context = {
    models: throughputs.map(({ model, version }) => `${model}/${version}`),
    threads,
    passes,
    rounds,
    count,
    load_average: load,
    versions: versions(),
  };
  return { metrics, context, table: tables.join('\n\n') };
}

function speedupTable(model: string, points: readonly Speedup[]): string {
  const rows = points.map(({ batch, cachedSeconds, naiveSeconds, ratio, agreement }) => {
    const published = PUBLISHED[batch];
    const bar = published && batch === 1 ? LEAST_AT_ONE : published;
    return [
      String(batch),
      `${cachedSeconds.toFixed(3)} s`,
      `${naiveSeconds.toFixed(1)} s`,
      `${ratio.toFixed(1)}x`,
      published === undefined ? '-' : `${published}x`,
      bar === undefined ? '-' : ratio >= bar ? 'reached' : 'missed',
      `${(100 * agreement).toFixed(2)} %`,
    ];
  });
  return table([
    [`${model}, batch`, 'cached', 'pass per pixel', 'speed-up', 'published', 'bar', 'same pixels'],
    ...rows,
  ]);
}

const perSecond = (rate: number): string => (rate < 100 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en'));
