// GAN-train accuracy (Shmelkov et al. 2018, sec. 3.1; the classification accuracy score of Ravuri & Vinyals 2019): how much of
// real pictures a classifier knows that was trained on samples alone. Few modes teach little, and so do wrong labels.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Domain, invalid } from '@genserve/runtime';
import type { Dataset, Split } from '../../data/dataset.js';
import { compiledEngine } from '../../engine/compiled.js';
import { classifier } from '../../families/classifier.js';
import { wholeBatches } from '../../train/monitor.js';
import { train } from '../../train/train.js';
import type { Pictures } from './pictures.js';

export interface GanTrainOptions {
  /** Of pictures and test alike. */
  readonly domain: Domain;
  readonly classNames: readonly string[];
  /** Budget of the training. */
  readonly steps: number;
  readonly seed: number;
  /** All cores when absent. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Rows that a step has trained on. */
  readonly onRows?: ((rows: number) => void) | undefined;
}

export interface GanTrain {
  /** Share of the test rows, 0 to 1. */
  readonly accuracy: number;
  /** Labelled rows trained on, and tested on: whole hundreds. */
  readonly trainRows: number;
  readonly testRows: number;
}

/** Rows that `train` goes through in one step. */
export const STEP_ROWS = classifier.training.batch;

/** Trains the family classifier, as it comes, on `pictures`. Throws INVALID_ARGUMENT without labels, CANCELLED after an abort. */
export async function ganTrain(pictures: Pictures, test: Pictures, options: GanTrainOptions): Promise<GanTrain> {
  const [known, unknown] = [labelled(pictures), labelled(test)];
  if (known.count === 0 || unknown.count === 0)
    throw invalid('ganTrain', 'needs samples of a model that knows classes, and data with labels');
  const testRows = wholeBatches(unknown.count);
  const folder = await mkdtemp(join(tmpdir(), 'genserve-gan-train-'));
  let accuracy = 0;
  try {
    await train({
      family: classifier,
      data: asDataset(known, unknown, options),
      training: { evaluateEvery: options.steps, evaluationRows: testRows },
      ...{ seed: options.seed, steps: options.steps, runs: folder, name: 'classifier' },
      engine: compiledEngine({ threads: options.threads }),
      signal: options.signal,
      callbacks: [
        {
          onStepEnd: () => options.onRows?.(STEP_ROWS),
          onEvaluate: ({ metrics }) => {
            accuracy = metrics.accuracy!; // every classifier's
          },
        },
      ],
    });
    options.signal?.throwIfAborted();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { accuracy, trainRows: known.count, testRows };
}

/** `held` is what evaluations look at while a model trains: of one that nothing is chosen by, the last is the test. */
function asDataset(known: Split, held: Split, { domain, classNames }: GanTrainOptions): Dataset {
  return {
    name: 'samples',
    // Pictures are as the domain has them: binarised where it says so.
    domain: { image: { ...domain.image!, binarisation: 'none', labels: [...classNames] } }, // of pictures, as checked
    ...{ train: known, calibration: held, test: held, all: known },
    ...{ sha256: '', licence: '', attribution: '', frequencies: [] },
    summary: `${known.count} pictures`,
    split: `train ${known.count}, test ${held.count}`,
  };
}

/** The rows that bear a label. */
function labelled({ images: { width, data }, labels }: Pictures): Split {
  const rows = [...labels.keys()].filter(row => labels[row]! >= 0);
  return {
    count: rows.length,
    async read(indices) {
      const read = new Float32Array(indices.length * width);
      indices.forEach((index, place) => {
        const row = rows[index]!;
        read.set(data.subarray(row * width, (row + 1) * width), place * width);
      });
      return { data: read, labels: Int32Array.from(indices, index => labels[rows[index]!]!) };
    },
  };
}
