// Samples measured against data by a classifier, with the figures of real data beside them: what no generator need exceed.
import { type BundleGenerator, type Domain, GenserveError, invalid } from '@genserve/runtime';
import type { Dataset } from '../../data/dataset.js';
import { absoluteDistance, squaredDistance } from '../distance.js';
import type { RowOptions } from '../row-chunks.js';
import { compare, type Judged, LEAST_ROWS, PRECISION_ROWS, referenceOf } from './compare.js';
import { meanCriticScore } from './critic.js';
import { type GanTrainOptions, ganTrain, STEP_ROWS } from './gan-train.js';
import type { Judge } from './judge.js';
import { memorisation, NearestDistances } from './memorisation.js';
import { drawRows, type Pictures, readPictures, reconstructed } from './pictures.js';
import { type RowSet, rowRange } from './row-set.js';

export interface MeasureOptions extends Omit<RowOptions, 'limit'> {
  /** 'test' when absent: what samples are compared with. */
  readonly split?: 'train' | 'calibration' | 'test' | undefined;
  /** Of the rows of data, of pairs and of binarisation; 0 when absent. */
  readonly seed?: number | undefined;
  /** Steps of training a classifier on the samples, and one on real rows: GAN-train accuracy; none when absent. */
  readonly ganTrainSteps?: number | undefined;
  /** Of those trainings; all cores when absent. */
  readonly threads?: number | undefined;
}

export interface SampleMeasures {
  /**
   * Those of `compare`; the same of real data as real.<name>, and of their reconstructions as reconstruction.<name>;
   * memorisation.<space>.<name>; gan_train_accuracy and real.gan_train_accuracy where they are asked for; critic_loss, the
   * critic's mean score of samples less that of the split's rows, and real.critic_loss, less that of rows of train: of a
   * Wasserstein critic its loss on held-out and on training data (Gulrajani et al. 2017, fig. 5b).
   */
  readonly metrics: Readonly<Record<string, number>>;
  readonly context: Readonly<Record<string, string | number>>;
}

export interface MeasuredBy {
  readonly judge: Judge;
  readonly domain: Domain;
  readonly generator?: BundleGenerator | undefined;
}

/** Rows whose nearest training row is looked for, of samples and of test data each. */
const MEMORISATION_ROWS = 250;
const ROWS_PER_CHUNK = 200;

/**
 * `domain` is the model's, whose binarisation real rows get too; `generator` is the one whose reconstructions and critic
 * are measured as well, where it has them. Real data are as many rows of the split, and of train (of test for the split
 * train) for the figures real.*. Throws INVALID_ARGUMENT for fewer than 20 rows, and
 * OPERATION_UNSUPPORTED where there are no pictures.
 */
export async function measurePictures(
  pictures: Pictures,
  dataset: Dataset,
  { judge, domain, generator, ...options }: MeasureOptions & MeasuredBy,
): Promise<SampleMeasures> {
  const { split = 'test', seed = 0, ganTrainSteps, signal, onProgress } = options;
  if (!domain.image) throw new GenserveError('OPERATION_UNSUPPORTED', 'only samples that are pictures can be judged');
  const other = split === 'train' ? 'test' : 'train';
  const counts = [pictures.images.count, dataset[split].count, dataset[other].count];
  if (Math.min(...counts) < LEAST_ROWS)
    throw invalid('limit', `at least ${LEAST_ROWS} samples and rows are needed, there are ${Math.min(...counts)}`);
  const [wanted, train] = [pictures.images.count, dataset.train.count];
  const queries = Math.min(MEMORISATION_ROWS, wanted, dataset.test.count);
  const realRows = Math.min(wanted, dataset[other].count);
  const learned = ganTrainSteps === undefined ? 0 : 2 * ganTrainSteps * STEP_ROWS;
  const reconstructs = generator?.manifest.operations.some(({ name }) => name === 'reconstruct') ?? false;
  const total = Math.min(wanted, dataset[split].count) + (reconstructs ? 2 : 1) * realRows + wanted + train + learned;
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

  const test = await drawRows(dataset[split], domain, wanted, seed);
  const real = await drawRows(dataset[other], domain, wanted, seed);
  const teaching = { ...options, domain, classNames: judge.classNames, seed, onRows };
  const taught =
    ganTrainSteps === undefined
      ? undefined
      : await taughtFigures(pictures, real, test, { ...teaching, steps: ganTrainSteps });
  const samples = await judged(pictures);
  const comparing = { shape: domain.image, classNames: judge.classNames, seed };
  const data = referenceOf(await judged(test), comparing);
  const ceiling = await judged(real);
  const again = generator && reconstructs && (await reconstructed(generator, real, { seed, signal }));
  const reconstruction = again && (await judged(again));
  const near = await nearestToTrain(samples, dataset, { judge, domain, queries, seed, judging });
  return {
    metrics: {
      ...compare(samples, data, comparing),
      ...prefixed('real', compare(ceiling, data, comparing)),
      ...(reconstruction && prefixed('reconstruction', compare(reconstruction, data, comparing))),
      ...taught?.metrics,
      ...(generator && (await criticLosses(generator, { samples: pictures, test, real, signal }))),
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
      ...taught?.context,
      seed,
    },
  };
}

/** What samples teach a classifier, beside what as many real rows do. */
async function taughtFigures(
  samples: Pictures,
  real: Pictures,
  test: Pictures,
  options: GanTrainOptions,
): Promise<SampleMeasures> {
  const found = await ganTrain(samples, test, options);
  const ceiling = await ganTrain(real, test, options);
  return {
    metrics: { gan_train_accuracy: found.accuracy, 'real.gan_train_accuracy': ceiling.accuracy },
    context: {
      gan_train_steps: options.steps,
      gan_train_samples: found.trainRows,
      gan_train_real_rows: ceiling.trainRows,
      gan_train_test_rows: found.testRows,
    },
  };
}

async function criticLosses(
  generator: BundleGenerator,
  { samples, test, real, signal }: Record<'samples' | 'test' | 'real', Pictures> & Pick<MeasureOptions, 'signal'>,
): Promise<Readonly<Record<string, number>>> {
  const score = ({ images }: Pictures) => meanCriticScore(generator, images, signal);
  const [drawn, held, seen] = [await score(samples), await score(test), await score(real)];
  if (drawn === undefined || held === undefined || seen === undefined) return {};
  return { critic_loss: drawn - held, 'real.critic_loss': drawn - seen };
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
