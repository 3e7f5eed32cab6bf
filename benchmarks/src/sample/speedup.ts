// How much faster pixels are drawn by a graph that keeps what it has computed than by one full forward pass for each.
import {
  type BundleGenerator,
  findOperation,
  GenserveError,
  OperationInputs,
  type Runner,
  type StepRow,
  type Tensor,
  type Tensors,
} from '@genserve/runtime';
import { median } from '../statistics.js';

export interface SpeedupOptions {
  readonly batch: number;
  /** Full forward passes that are timed, spread over the image; all others are taken to last as long. */
  readonly passes: number;
  /** Turns of both sides. */
  readonly rounds: number;
}

export interface Speedup {
  readonly batch: number;
  /** Whole images, from the first pixel to the last. */
  readonly cachedSeconds: number;
  /** One pass for each pixel: the median pass times the pixels of an image. */
  readonly naiveSeconds: number;
  readonly ratio: number;
  /** Of `passes * batch` pixels those that both sides drew alike. */
  readonly agreement: number;
}

/** Whether a model draws pixel by pixel in raster order and gives each pixel's probability in one pass. */
export function isRasterModel({ manifest }: BundleGenerator): boolean {
  const sample = manifest.operations.find(({ name }) => name === 'sample');
  const byRows = sample?.inputs.some(({ name }) => name === 'row_count') ?? false;
  return byRows && manifest.likelihood?.kind === 'exact' && manifest.domain?.image?.channels === 1;
}

/** Both sides draw the same images from the same noise, in turns. Throws INTERNAL where they disagree on a pixel. */
export async function measureSpeedup(generator: BundleGenerator, options: SpeedupOptions): Promise<Speedup> {
  const { batch, passes, rounds } = options;
  const { runner } = generator;
  const sample = inputsOf(generator, 'sample', batch, {});
  const noise = sample().pixels!;
  const images = (await runner.run('sample', sample())).x!; // also the warm-up
  const pixels = images.data.length / batch;
  const places = Array.from({ length: passes }, (_, pass) => Math.floor((pass * pixels) / passes));
  const cached: number[] = [];
  const naive: number[] = [];
  let agreed = 0;
  await forwardPass(runner, generator, prefixOf(images, 0));
  for (let round = 0; round < rounds; round++) {
    const feeds = sample();
    const started = performance.now();
    await runner.run('sample', feeds);
    cached.push(performance.now() - started);
    for (const place of places.filter((_, pass) => pass % rounds === round)) {
      const { milliseconds, map } = await forwardPass(runner, generator, prefixOf(images, place));
      naive.push(milliseconds);
      agreed += checkPixel(place, { images, noise, map });
    }
  }
  const cachedSeconds = median(cached) / 1000;
  const naiveSeconds = (median(naive) * pixels) / 1000;
  return {
    batch,
    cachedSeconds,
    naiveSeconds,
    ratio: naiveSeconds / cachedSeconds,
    agreement: agreed / (passes * batch),
  };
}

/** The shipped graph of log p(x_i | x_<i) for all i: what a sampler without caches runs again for every pixel. */
async function forwardPass(runner: Runner, generator: BundleGenerator, x: Tensor) {
  const feeds = inputsOf(generator, 'log_prob_map', x.shape[0]!, { x })();
  const started = performance.now();
  const { map } = await runner.run('log_prob_map', feeds);
  return { milliseconds: performance.now() - started, map: map! };
}

/** The images as they are when pixel `place` is drawn: nothing from it on. */
function prefixOf(images: Tensor, place: number): Tensor {
  const data = Float32Array.from(images.data);
  const pixels = data.length / images.shape[0]!;
  for (let row = 0; row < images.shape[0]!; row++) data.fill(0, row * pixels + place, (row + 1) * pixels);
  return { dtype: 'float32', shape: images.shape, data };
}

/** Rounding may turn a pixel whose uniform number lies so near to its probability (contract, section 3). */
const CLOSE = 1e-5;

/** How many of the batch's pixels at `place` the passes draw as the loop did: u < p, where p = 1 - exp(log p(0)). */
function checkPixel(place: number, drawn: { images: Tensor; noise: Tensor; map: Tensor }): number {
  const batch = drawn.images.shape[0]!;
  const pixels = drawn.images.data.length / batch;
  let agreed = 0;
  for (let row = 0; row < batch; row++) {
    const at = row * pixels + place;
    const [u, p] = [drawn.noise.data[at]!, 1 - Math.exp(drawn.map.data[at]!)];
    if (Number(u < p) === drawn.images.data[at]) agreed++;
    else if (Math.abs(u - p) > CLOSE)
      throw new GenserveError(
        'INTERNAL',
        `pixel ${place} of image ${row}: the loop drew another value (u ${u}, p ${p})`,
      );
  }
  return agreed;
}

/** Complete feeds of an operation, anew at each call. */
function inputsOf(generator: BundleGenerator, name: string, rows: number, given: Tensors): () => Tensors {
  const { manifest } = generator;
  const inputs = new OperationInputs(manifest, findOperation(manifest, name), rows, given, 0);
  const steps: StepRow[] = Array.from({ length: rows }, (_, index) => ({ index, sample: index, draw: 0 }));
  return () => inputs.feeds(steps);
}
