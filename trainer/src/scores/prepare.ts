// All that a bundle gets of anomaly scores when it is exported: which there are, what they know of normal data, which one
// is recommended, and their calibration.
import type { BundleGenerator, Bytes, Score } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { calibrateScores } from './calibrate.js';
import { fitScores } from './fit.js';
import { offeredScores } from './offered.js';
import { recommendScore } from './recommend.js';
import { partition, spread } from './rows.js';
import { withScores } from './values.js';

/** Rows that densities and means are fitted on, and the fewest held-out ones that will do. */
const REFERENCE_ROWS = 5000;
const FEWEST_REFERENCE_ROWS = 1000;

/** What scores know of normal data is fitted; one is recommended; all are calibrated. */
export type ScoresStage = 'fit' | 'recommend' | 'calibrate';

export interface PreparedScores {
  readonly scores: Score[];
  /** By path. */
  readonly tables: ReadonlyMap<string, Bytes>;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface PrepareOptions {
  /** Held-out rows that calibrate; 5,000 when absent. */
  readonly rows?: number | undefined;
  readonly perClass?: boolean | undefined;
  /** Rows of a stage that have been scored, of all. */
  readonly onProgress?: ((stage: ScoresStage, done: number, total: number) => void) | undefined;
  /** Of a kind of synthetic anomalies that could not be had. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** `rows` of the calibration split calibrate. What is left of it is the reference; too small a rest gives way to training rows. */
export async function prepareScores(
  generator: BundleGenerator,
  dataset: Dataset,
  options: PrepareOptions = {},
): Promise<PreparedScores> {
  const offered = offeredScores(generator.manifest);
  if (offered.length === 0) return { scores: [], tables: new Map(), metrics: {} };
  const { train, calibration, name } = dataset;
  const { rows = 5000, perClass } = options;
  const { part, rest } = partition(calibration, rows);
  // A row that is its own nearest neighbour would tell nothing: where the reference is of training rows, the bank is of others.
  const { part: reference, rest: known } =
    rest.count >= FEWEST_REFERENCE_ROWS
      ? { part: spread(rest, REFERENCE_ROWS), rest: train }
      : partition(train, Math.min(REFERENCE_ROWS, Math.floor(train.count / 2)));
  const progress = (stage: ScoresStage) => (done: number, total: number) => options.onProgress?.(stage, done, total);
  const fitted = await fitScores(generator, offered, { train: known, reference, onProgress: progress('fit') });
  const recommendation = await recommendScore(withScores(generator, fitted.scores, fitted.tables), reference, {
    onProgress: progress('recommend'),
    onWarning: options.onWarning,
  });
  const ready = withScores(generator, recommendation.scores, fitted.tables);
  const data = `${name}, held out of training, ${part.count} rows`;
  const onProgress = progress('calibrate');
  const { scores, tables } = await calibrateScores(ready, part, { data, perClass, onProgress });
  return { scores, tables: new Map([...fitted.files, ...tables]), metrics: recommendation.metrics };
}
