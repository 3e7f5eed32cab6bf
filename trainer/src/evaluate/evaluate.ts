// Figures of a bundle on a data set, from the bundle alone.
import { domainShape, GenserveError } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { type OpenOptions, openGenerator } from '../export/open.js';
import { evaluateAccuracy } from './accuracy.js';
import { evaluateLikelihood, type LikelihoodEvaluationOptions } from './likelihood.js';

export interface EvaluateOptions extends OpenOptions, Omit<LikelihoodEvaluationOptions, 'draws'> {
  readonly metric: 'nll' | 'accuracy';
  /** Importance samples; 100 when absent. */
  readonly k?: number | undefined;
  /** 'test' when absent. */
  readonly split?: 'train' | 'calibration' | 'test' | undefined;
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
    const context = { bundle: `${manifest.name}/${manifest.version}`, dataset: dataset.name, split };
    if (options.metric === 'accuracy') {
      const { metrics, rows, labelled } = await evaluateAccuracy(generator, dataset[split], options);
      return { metrics, context: { ...context, rows, labelled } };
    }
    const { draws, rows, seed, metrics } = await evaluateLikelihood(generator, dataset[split], {
      ...options,
      draws: options.k,
    });
    return {
      metrics,
      context: {
        ...context,
        rows,
        k: draws,
        seed,
        likelihood: manifest.likelihood?.kind ?? 'none',
        measure: manifest.likelihood?.measure ?? '',
        binarisation: manifest.domain?.image?.binarisation ?? 'none',
      },
    };
  } finally {
    await generator.close();
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
