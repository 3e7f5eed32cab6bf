// What scores know of normal data besides their calibration: means, covariances, neighbours, densities.
import {
  type BundleGenerator,
  type Bytes,
  buildFeeds,
  densityRow,
  domainShape,
  findOperation,
  float32,
  inputsOf,
  type Score,
  writeNpy,
} from '@genserve/runtime';
import type { Split } from '../data/dataset.js';
import { GRADIENT_NORMS } from './gradient-norms.js';
import { covarianceOf, inverse, lowerTriangle, meanOf } from './linear-algebra.js';
import { sizeOfFirstOutput } from './offered.js';
import { spread } from './rows.js';
import { scoreValues, withScores } from './values.js';

/** Numbers of the bank, 2 MiB: rows of training data whose features are known to `nearest-neighbours`, as many as that holds. */
const BANK_NUMBERS = 2 ** 19;
/** Rows that give a covariance: of features, some of the bank's, with which they are offered. */
const COVARIANCE_ROWS = 5000;
/** Added to the diagonal of a covariance, as a share of its mean: a dimension that normal data do not use must not decide. */
const RIDGE = 1e-3;
const ROWS_PER_CHUNK = 250;

export interface FittedScores {
  readonly scores: Score[];
  readonly tables: ReadonlyMap<string, Float64Array>;
  readonly files: ReadonlyMap<string, Bytes>;
}

export interface FitOptions {
  readonly train: Split;
  readonly reference: Split;
  /** Rows of the reference that have been scored, of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Features are of training rows; densities and means of scores are of `reference`, rows held out of training where there are any to spare. */
export async function fitScores(
  generator: BundleGenerator,
  offered: readonly Score[],
  { train, reference, onProgress }: FitOptions,
): Promise<FittedScores> {
  const tables = new Map<string, Float64Array>();
  const files = new Map<string, Bytes>();
  const add = (path: string, shape: readonly number[], values: Float64Array) => {
    // As they will be read: calibrated with the numbers that are stored.
    const stored = Float32Array.from(values);
    files.set(path, writeNpy(shape, stored));
    tables.set(path, Float64Array.from(stored));
  };
  let bank: readonly Float64Array[] = [];
  for (const { operations, tables: paths } of offered.filter(({ formula }) => formula === 'nearest-neighbours')) {
    const size = sizeOfFirstOutput(generator.manifest, operations[0]!);
    bank = await features(generator, operations[0]!, spread(train, Math.floor(BANK_NUMBERS / size)));
    add(paths[0]!, [bank.length, size], Float64Array.from(bank.flatMap(row => [...row])));
  }
  for (const { operations, tables: paths } of offered.filter(({ formula }) => formula === 'mahalanobis')) {
    // A model's gradients at rows that it was trained on are smaller than at others.
    const rows =
      operations[0] === GRADIENT_NORMS
        ? await features(generator, GRADIENT_NORMS, spread(reference, COVARIANCE_ROWS))
        : bank.filter((_, i) => i % Math.ceil(bank.length / COVARIANCE_ROWS) === 0);
    add(paths[0]!, [1 + rows[0]!.length, rows[0]!.length], covarianceTable(rows));
  }
  const known = await Promise.all(
    offered.map(async score => {
      if (score.formula !== 'exemplar-likelihood') return score;
      return { ...score, parameters: { variance: await spacing(generator, score, tables, reference) } };
    }),
  );
  const simple = known.filter(({ formula, usesLabel }) => formula !== 'fusion' && !usesLabel);
  const { values } = await scoreValues(withScores(generator, simple, tables), reference, { onProgress });
  const scores = known.map(score => {
    if (score.formula !== 'typicality') return score;
    return { ...score, parameters: { entropy: meanOf([...values.get('negative-log-likelihood')!]) } };
  });
  for (const { statistics, tables: paths } of scores.filter(({ formula }) => formula === 'fusion')) {
    const rows = statistics.map(name => [...densityRow(values.get(name)!)]);
    add(paths[0]!, [rows.length, rows[0]!.length], Float64Array.from(rows.flat()));
  }
  return { scores, tables, files };
}

/**
 * The mean squared distance of normal data's codes from the nearest of the bank, for each dimension: the variance under which
 * kernels around the codes of the bank are most likely, each row reached by one.
 */
async function spacing(
  { manifest, runner }: BundleGenerator,
  score: Score,
  tables: ReadonlyMap<string, Float64Array>,
  reference: Split,
): Promise<number> {
  const nearest: Score = { ...score, name: 'nearest', formula: 'nearest-neighbours', parameters: { k: 1 } };
  const { values } = await scoreValues(withScores({ manifest, runner }, [nearest], tables), reference);
  const squares = Array.from(values.get('nearest')!, distance => distance ** 2);
  // Codes that are all alike have no spacing: any will do that is not 0.
  return meanOf(squares) / sizeOfFirstOutput(manifest, score.operations[0]!) || 1;
}

/** The first output of an operation for every row, as scoring asks for it. */
async function features({ manifest, runner }: BundleGenerator, name: string, split: Split): Promise<Float64Array[]> {
  const operation = findOperation(manifest, name);
  const [input] = inputsOf(operation, 'data');
  const [output] = operation.outputs;
  const result: Float64Array[] = [];
  for (let first = 0; first < split.count; first += ROWS_PER_CHUNK) {
    const indices = Array.from({ length: Math.min(ROWS_PER_CHUNK, split.count - first) }, (_, i) => first + i);
    const shape = [indices.length, ...domainShape(manifest.domain)];
    const x = float32(shape, (await split.read(indices)).data);
    const feeds = buildFeeds(manifest, operation, indices.length, { [input!.name]: x }, { seed: 0 });
    const { data } = (await runner.run(name, feeds))[output!.name]!;
    const size = data.length / indices.length;
    for (const i of indices.keys()) result.push(Float64Array.from(data.subarray(i * size, (i + 1) * size)));
  }
  return result;
}

/** [1 + d, d]: the mean, then W with W^T W = covariance^-1: the inverse of its lower triangle L, L L^T = covariance. */
function covarianceTable(rows: readonly Float64Array[]): Float64Array {
  const { mean, covariance } = covarianceOf(rows);
  const size = mean.length;
  const trace = mean.reduce((sum, _, i) => sum + covariance[i]![i]!, 0);
  const ridge = RIDGE * (trace / size) || 1;
  for (const [i, row] of covariance.entries()) row[i]! += ridge;
  return Float64Array.from([...mean, ...inverse(lowerTriangle(covariance)).flatMap(row => [...row])]);
}
