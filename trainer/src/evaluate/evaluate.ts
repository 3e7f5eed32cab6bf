// Figures of a bundle on a data set, from the bundle alone.
import { type BundleGenerator, classCount, domainShape, GenserveError, invalid } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { modelHash } from '../export/model-hash.js';
import { type OpenOptions, openGenerator } from '../export/open.js';
import { evaluateAccuracy } from './accuracy.js';
import { evaluateCodes } from './codes.js';
import { evaluateLatent } from './latent.js';
import { evaluateLikelihood, type LikelihoodEvaluationOptions } from './likelihood.js';
import { openJudge } from './samples/judge.js';
import { measurePictures } from './samples/measure.js';
import { drawPictures } from './samples/pictures.js';
import { sampleSheets } from './samples/sheets.js';
import { evaluateTranslation } from './translation.js';

export const metricNames = ['nll', 'latent', 'samples', 'accuracy', 'codes', 'translation'] as const;
export type MetricName = (typeof metricNames)[number];

export interface EvaluateOptions extends OpenOptions, Omit<LikelihoodEvaluationOptions, 'draws'> {
  readonly metric: MetricName;
  /** Importance samples; 100 when absent. */
  readonly k?: number | undefined;
  /** 'test' when absent. */
  readonly split?: 'train' | 'calibration' | 'test' | undefined;
  /** Folder of sheets; samples/<name>-<version> when absent. */
  readonly out?: string | undefined;
  /** Folder of a classifier's bundle, for the metric samples: without it there are sheets, and no figures. */
  readonly classifier?: string | undefined;
  /** With it, steps of training one on the samples, and one on as many real rows: GAN-train accuracy; none when absent. */
  readonly ganTrainSteps?: number | undefined;
}

export interface Evaluation {
  /** Dotted names to numbers. */
  readonly metrics: Readonly<Record<string, number>>;
  /** What they are of: data, split, rows, seed, binarisation, k. */
  readonly context: Readonly<Record<string, string | number>>;
}

/** `bundle` is the folder models/<name>/<version>. Throws INVALID_ARGUMENT where the data do not have the model's shape. */
export async function evaluate(bundle: string, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation> {
  const generator = await openGenerator(bundle, options);
  try {
    const { manifest } = generator;
    checkShape(manifest.domain, dataset);
    const split = options.split ?? 'test';
    const { metrics, context } = await measures[options.metric](generator, dataset, { ...options, split });
    return {
      metrics,
      context: {
        bundle: `${manifest.name}/${manifest.version}`,
        bundle_sha256: modelHash(manifest),
        dataset: dataset.name,
        split,
        ...context,
      },
    };
  } finally {
    await generator.close();
  }
}

type Measure = (
  generator: BundleGenerator,
  dataset: Dataset,
  options: EvaluateOptions & { readonly split: 'train' | 'calibration' | 'test' },
) => Promise<Evaluation>;

const measures: Readonly<Record<MetricName, Measure>> = {
  async nll(generator, dataset, options) {
    const { likelihood, domain } = generator.manifest;
    const { draws, rows, seed, conditional, metrics } = await evaluateLikelihood(generator, dataset[options.split], {
      ...options,
      draws: options.k,
    });
    return {
      metrics,
      context: {
        rows,
        k: draws,
        seed,
        likelihood: likelihood?.kind ?? 'none',
        measure: likelihood?.measure ?? '',
        binarisation: domain?.image?.binarisation ?? 'none',
        ...(conditional && { condition: 'label' }),
      },
    };
  },

  async latent(generator, dataset, options) {
    const { metrics, ...context } = await evaluateLatent(generator, dataset, options);
    return { metrics, context };
  },

  async samples(generator, dataset, options) {
    const { name, version } = generator.manifest;
    if (options.ganTrainSteps !== undefined && classCount(generator.manifest) === 0)
      throw invalid('ganTrain', `${name} knows no classes: its samples have no labels that a classifier could learn`);
    const out = options.out ?? `samples/${name}-${version}`;
    const sheets = await sampleSheets(generator, dataset[options.split], { ...options, out });
    const measured = await judgedSamples(generator, dataset, options);
    return {
      metrics: {
        ...Object.fromEntries(sheets.map(({ name, images }) => [`images.${name}`, images])),
        ...measured?.metrics,
      },
      context: {
        ...Object.fromEntries(sheets.map(({ name, path }) => [name, path])),
        ...measured?.context,
      },
    };
  },

  async accuracy(generator, dataset, options) {
    const { metrics, rows, labelled } = await evaluateAccuracy(generator, dataset[options.split], options);
    return { metrics, context: { rows, labelled } };
  },

  async codes(generator, dataset, options) {
    const { metrics, ...context } = await evaluateCodes(generator, dataset[options.split], options);
    return { metrics, context };
  },

  async translation(generator, dataset, options) {
    const { metrics, rows } = await evaluateTranslation(generator, dataset[options.split], options);
    return { metrics, context: { rows, seed: options.seed ?? 0 } };
  },
};

async function judgedSamples(
  generator: BundleGenerator,
  dataset: Dataset,
  { limit, classifier, ...options }: EvaluateOptions,
): Promise<Evaluation | undefined> {
  if (classifier === undefined) return undefined;
  const { domain } = generator.manifest;
  const judge = await openJudge(classifier, domain, { threads: options.threads });
  try {
    const pictures = await drawPictures(generator, { ...options, count: limit });
    return await measurePictures(pictures, dataset, {
      ...{ ...options, judge, generator },
      domain: domain!, // as the judge checked
    });
  } finally {
    await judge.close();
  }
}

/** Throws INVALID_ARGUMENT where the data do not have the model's shape. */
export function checkShape(model: Dataset['domain'] | undefined, dataset: Dataset): void {
  const [wanted, found] = [domainShape(model), domainShape(dataset.domain)];
  if (wanted.join() !== found.join())
    throw new GenserveError('INVALID_ARGUMENT', `data: rows of shape [${found}] where the model takes [${wanted}]`, {
      field: 'data',
    });
}
