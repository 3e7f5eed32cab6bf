// Samples measured against data by a classifier, with the figures of real data beside them: what no generator need exceed.
import {
  type BundleGenerator,
  type Domain,
  domainShape,
  float32,
  GenserveError,
  invalid,
  sizeOf,
  type Tensor,
  toBytes,
} from '@genserve/runtime';
import { rowsAt } from '../../data/batches.js';
import type { Dataset, Split } from '../../data/dataset.js';
import { permutation } from '../../data/order.js';
import { absoluteDistance, squaredDistance } from '../distance.js';
import { compare, type Judged, LEAST_ROWS, PRECISION_ROWS } from './compare.js';
import type { Judge } from './judge.js';
import { memorisation, NearestDistances } from './memorisation.js';
import { type RowSet, rowRange } from './row-set.js';

export interface MeasureOptions {
  /** 'test' when absent: what samples are compared with. */
  readonly split?: 'train' | 'calibration' | 'test' | undefined;
  /** Of the rows of data, of pairs and of binarisation; 0 when absent. */
  readonly seed?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Rows that were judged. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Pictures {
  /** Rows of height * width * channels, in [0, 1]. */
  readonly images: RowSet;
  /** Asked for; -1: none. */
  readonly labels: readonly number[];
}

export interface SampleMeasures {
  /**
   * Those of `compare`; the same of real data as real.<name>, and of their reconstructions as reconstruction.<name>;
   * memorisation.<space>.<name>.
   */
  readonly metrics: Readonly<Record<string, number>>;
  readonly context: Readonly<Record<string, string | number>>;
}

export interface MeasuredBy {
  readonly judge: Judge;
  readonly domain: Domain;
  readonly generator?: BundleGenerator | undefined;
}

const SAMPLES = 10_000;
/** Rows whose nearest training row is looked for, of samples and of test data each. */
const MEMORISATION_ROWS = 250;
const ROWS_PER_CHUNK = 200;

/**
 * `count` samples of a bundle, 10,000 when absent, of its classes in turn where it knows classes: at 256 levels, as picture
 * files hold them and real data have them.
 */
export async function drawPictures(
  generator: BundleGenerator,
  {
    count = SAMPLES,
    seed = 0,
    signal,
  }: Pick<MeasureOptions, 'seed' | 'signal'> & { readonly count?: number | undefined },
): Promise<Pictures> {
  const classes = generator.manifest.conditions.find(({ kind }) => kind === 'label')?.size ?? 0;
  const labels = Array.from({ length: count }, (_, row) => (classes > 0 ? row % classes : -1));
  let images: Float32Array | undefined;
  for (let first = 0; first < count; first += ROWS_PER_CHUNK) {
    const part = labels.slice(first, first + ROWS_PER_CHUNK);
    const label = classes > 0 ? part : undefined;
    const { data } = await generator.sample({ count: part.length, firstIndex: first, label, seed, signal });
    const width = data.data.length / part.length;
    images ??= new Float32Array(count * width);
    images.set(atByteLevels(data), first * width);
  }
  const data = images ?? new Float32Array(0);
  return { images: { count, width: data.length / count, data }, labels };
}

/** As picture files hold pictures. */
const atByteLevels = (pictures: Tensor): Float32Array => Float32Array.from(toBytes(pictures), byte => byte / 255);

/** What the bundle makes of pictures through its code, which is as good as its samples can be. */
async function reconstructed(
  generator: BundleGenerator,
  { images, labels }: Pictures,
  { seed, signal }: Pick<MeasureOptions, 'seed' | 'signal'>,
): Promise<Pictures> {
  const { height, width, channels } = generator.manifest.domain!.image!; // of pictures, as checked
  const data = new Float32Array(images.data.length);
  for (let first = 0; first < images.count; first += ROWS_PER_CHUNK) {
    const part = rowRange(images, first, ROWS_PER_CHUNK);
    const rows = float32([part.count, height, width, channels], Float32Array.from(part.data));
    data.set(atByteLevels((await generator.reconstruct(rows, { seed, signal })).data), first * images.width);
  }
  return { images: { ...images, data }, labels };
}

/**
 * `domain` is the model's, whose binarisation real rows get too; `generator` is one whose reconstructions are measured as
 * well. Real data are as many rows of the split, and of train (of
 * test for the split train) for the figures real.*. Throws INVALID_ARGUMENT for fewer than 20 rows, and
 * OPERATION_UNSUPPORTED where there are no pictures.
 */
export async function measurePictures(
  pictures: Pictures,
  dataset: Dataset,
  { judge, domain, generator, ...options }: MeasureOptions & MeasuredBy,
): Promise<SampleMeasures> {
  const { split = 'test', seed = 0, signal, onProgress } = options;
  if (!domain.image) throw new GenserveError('OPERATION_UNSUPPORTED', 'only samples that are pictures can be judged');
  const other = split === 'train' ? 'test' : 'train';
  const counts = [pictures.images.count, dataset[split].count, dataset[other].count];
  if (Math.min(...counts) < LEAST_ROWS)
    throw invalid('limit', `at least ${LEAST_ROWS} samples and rows are needed, there are ${Math.min(...counts)}`);
  const [wanted, train] = [pictures.images.count, dataset.train.count];
  const queries = Math.min(MEMORISATION_ROWS, wanted, dataset.test.count);
  const realRows = Math.min(wanted, dataset[other].count);
  const total = Math.min(wanted, dataset[split].count) + (generator ? 2 : 1) * realRows + wanted + train;
  let done = 0;
  const onRows = (rows: number) => {
    done += rows;
    onProgress?.(done, total);
  };
  const judging = { signal, onRows };
  const judged = async ({ images, labels }: Pictures): Promise<Judged> => ({
    images,
    labels,
    judgement: await judge.judge(images, judging),
  });

  const samples = await judged(pictures);
  const data = await judged(await drawRows(dataset[split], domain, wanted, seed));
  const real = await drawRows(dataset[other], domain, wanted, seed);
  const ceiling = await judged(real);
  const comparing = { shape: domain.image, classNames: judge.classNames, seed };
  const reconstruction = generator && (await judged(await reconstructed(generator, real, { seed, signal })));
  const near = await nearestToTrain(samples, dataset, { judge, domain, queries, seed, judging });
  return {
    metrics: {
      ...compare(samples, data, comparing),
      ...prefixed('real', compare(ceiling, data, comparing)),
      ...(reconstruction && prefixed('reconstruction', compare(reconstruction, data, comparing))),
      ...near,
    },
    context: {
      classifier: judge.name,
      classifier_sha256: judge.hash,
      samples: wanted,
      rows: data.images.count,
      real: other,
      real_rows: ceiling.images.count,
      precision_rows: Math.min(PRECISION_ROWS, wanted, data.images.count),
      memorisation_rows: queries,
      seed,
    },
  };
}

const prefixed = (prefix: string, figures: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}.${name}`, value]));

interface NearestOptions {
  readonly judge: Judge;
  readonly domain: Domain;
  readonly queries: number;
  readonly seed: number;
  readonly judging: Parameters<Judge['judge']>[1];
}

/** In pixels by both distances and in features: all of train passes by, part by part. */
async function nearestToTrain(samples: Judged, dataset: Dataset, options: NearestOptions) {
  const { judge, domain, queries, seed, judging } = options;
  const test = await drawRows(dataset.test, domain, queries, seed);
  const testFeatures = (await judge.judge(test.images)).features;
  const both = (ofSamples: RowSet, ofTest: RowSet, distance: typeof squaredDistance) => ({
    samples: new NearestDistances(rowRange(ofSamples, 0, queries), distance),
    test: new NearestDistances(ofTest, distance),
  });
  const spaces = {
    pixels_l1: both(samples.images, test.images, absoluteDistance),
    pixels_l2: both(samples.images, test.images, squaredDistance),
    features: both(samples.judgement.features, testFeatures, squaredDistance),
  };
  for (let first = 0; first < dataset.train.count; first += ROWS_PER_CHUNK) {
    const count = Math.min(ROWS_PER_CHUNK, dataset.train.count - first);
    const indices = Array.from({ length: count }, (_, i) => first + i);
    const { images } = await readPictures(dataset.train, domain, indices, seed);
    const { features } = await judge.judge(images, judging);
    for (const [name, pair] of Object.entries(spaces))
      for (const nearest of Object.values(pair)) nearest.see(name === 'features' ? features : images);
  }
  const metrics: Record<string, number> = {};
  for (const [name, pair] of Object.entries(spaces)) {
    const found = memorisation(lengths(pair.samples), lengths(pair.test));
    metrics[`memorisation.${name}.sample_median`] = found.sampleMedian;
    metrics[`memorisation.${name}.test_quantile_5`] = found.testQuantile;
    metrics[`memorisation.${name}.flag`] = Number(found.memorised);
  }
  return metrics;
}

const lengths = ({ distances, distance }: NearestDistances): Float64Array =>
  distance === squaredDistance ? distances.map(Math.sqrt) : distances;

/** Drawn by seed: the first rows of a set may be of one class. */
async function drawRows(split: Split, domain: Domain, count: number, seed: number): Promise<Pictures> {
  const order = permutation(split.count, seed, 'measured-rows');
  return await readPictures(split, domain, Array.from(order.subarray(0, count)), seed);
}

async function readPictures(split: Split, domain: Domain, indices: readonly number[], seed: number): Promise<Pictures> {
  const { data, labels } = await rowsAt(split, domain, indices, seed);
  return {
    images: { count: indices.length, width: sizeOf(domainShape(domain)), data },
    labels: Array.from(labels ?? new Int32Array(indices.length).fill(-1)),
  };
}
