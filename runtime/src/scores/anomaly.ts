// Anomaly scores of rows: every score that was asked for, its p-value and decision, and where the anomaly lies.
// Loaded when a model is first asked for one.
import type { Operation, Score } from '@genserve/proto/manifest';
import { type Calls, rowsOf } from '../calls.js';
import { GenserveError, invalid } from '../errors.js';
import type { Anomaly, AnomalyOptions, AnomalyScore } from '../generator.js';
import { logWeights, notFinite } from '../likelihood.js';
import { findOperation, inputsOf, type Manifest, recommendedScore } from '../manifest.js';
import { checkSeed } from '../noise.js';
import { checkCount, quantise } from '../ports.js';
import { float32, type Tensor, type Tensors } from '../tensor.js';
import { rowOf, type ScoreContext } from './formula.js';
import type { Formula } from './formula-names.js';
import { SCORES } from './formulas.js';
import { benjaminiHochberg, decide, pValue } from './p-values.js';

/** `Generator.anomaly`. */
export async function anomaly(calls: Calls, data: Tensor, options: AnomalyOptions): Promise<readonly Anomaly[]> {
  const { manifest } = calls;
  const { alpha = 0.05, correction } = options;
  if (!(alpha > 0 && alpha < 1)) throw invalid('alpha', `must be between 0 and 1, was ${alpha}`);
  if (correction !== undefined && correction !== 'benjamini-hochberg')
    throw invalid('correction', `must be benjamini-hochberg, was ${correction}`);
  const wanted = wantedScores(manifest, options.scores ?? []);
  const rows = rowsOf(data, 'data');
  const labels = labelsOf(options.label, rows);
  const values = valuesOf(calls, data, labels, options);
  const results: AnomalyScore[][] = Array.from({ length: rows }, () => []);
  for (const score of wanted) {
    const found = await values(score);
    const tables = await calibrationTables(calls, score, labels, options);
    const pValues = [...found].map((value, row) => tables && pValue(tables[row]!, value));
    const known = pValues.filter(p => p !== undefined);
    const adjusted = correction && known.length === rows ? benjaminiHochberg(known) : undefined;
    found.forEach((value, row) => {
      const p = pValues[row];
      results[row]!.push({
        name: score.name,
        value,
        unit: SCORES[formulaOf(score)].unit,
        ...(p !== undefined && { pValue: p }),
        ...(adjusted && { adjustedPValue: adjusted[row]! }),
        decision: decide(adjusted?.[row] ?? p, alpha, tables?.[row]?.length ?? 0),
        recommended: score.recommended,
      });
    });
  }
  const map = options.map ? await anomalyMap(calls, data, wanted[0]!, options) : undefined;
  return results.map((scores, row) => ({
    scores,
    ...(map && { map: float32(map.shape.slice(1, 3), rowOf(map, row)) }),
  }));
}

function formulaOf(score: Score): Formula {
  return score.formula as Formula; // checked against the closed list by parseManifest
}

/** Computes scores; what two of them ask of the model is asked once. */
function valuesOf(calls: Calls, data: Tensor, labels: readonly number[], options: AnomalyOptions) {
  const { manifest } = calls;
  const rows = rowsOf(data, 'data');
  const cache = new Map<string, unknown>();
  const once = <T>(key: string, make: () => T): T => {
    if (!cache.has(key)) cache.set(key, make());
    return cache.get(key) as T; // a key is used with one type
  };
  const compute = (score: Score): Promise<Float64Array> =>
    once(`score ${score.name}`, async () => {
      checkLabels(score, labels);
      const draws = checkCount(options.draws ?? score.draws, 'draws');
      const seed = checkSeed(options.seed ?? score.seed);
      const context: ScoreContext = {
        manifest,
        score,
        get data() {
          return once(`data ${seed}`, () => quantised(data, manifest, seed));
        },
        shared: (key, make) => once(`shared ${key} ${seed}`, make),
        logWeights: name =>
          once(`weights ${name} ${draws} ${seed} ${score.usesLabel}`, () => {
            const operation = findOperation(manifest, name);
            const inputs = given(calls, operation, data, score, options);
            return logWeights(calls, operation, inputs, rows, draws, seed, options);
          }),
        output: name =>
          once(`output ${name} ${seed} ${score.usesLabel}`, () => firstOutput(calls, name, data, score, options)),
        table: path => calls.bundle.table(path, { signal: options.signal }),
        value: name => compute(manifest.scores.find(other => other.name === name)!), // looked at by parseManifest
      };
      const values = await SCORES[formulaOf(score)].compute(context);
      const row = values.findIndex(Number.isNaN);
      if (row >= 0) throw notFinite(`score ${score.name}`, row);
      return values;
    });
  return compute;
}

/** What an operation is fed for a score: the rows, and their labels where the score and the operation take any. */
function given(
  calls: Calls,
  operation: Operation,
  data: Tensor,
  { usesLabel }: Score,
  { label }: AnomalyOptions,
): Tensors {
  const takesLabel = usesLabel && inputsOf(operation, 'label').length > 0;
  return { ...calls.data(operation, data), ...(takesLabel && calls.conditions(operation, { label })) };
}

/** A row without a label would be scored by what the model makes of "no label", and compared with rows that have one. */
function checkLabels({ name, usesLabel }: Score, labels: readonly number[]): void {
  const row = usesLabel ? labels.findIndex(label => label < 0) : -1;
  if (row >= 0) throw invalid('label', `score ${name} needs the label of each row; row ${row} has none`);
}

/** The table of each row; undefined where there is none, or where it is of other draws or another seed. */
async function calibrationTables(
  { bundle }: Calls,
  { calibration, draws, seed, usesLabel }: Score,
  labels: readonly number[],
  options: AnomalyOptions,
): Promise<Float64Array[] | undefined> {
  if (!calibration || (options.draws ?? draws) !== draws || (options.seed ?? seed) !== seed) return undefined;
  const tables: Float64Array[] = [];
  for (const [row, label] of labels.entries()) {
    const own = calibration.classes.find(candidate => candidate.label === label);
    // A score that uses labels has compared the row with its class already: the table of all classes is for it too.
    if (label >= 0 && !own && !usesLabel) {
      const there = calibration.classes.map(candidate => candidate.label).join(', ') || 'none';
      throw invalid(
        Array.isArray(options.label) && options.label.length > 1 ? `label[${row}]` : 'label',
        `${label} has no calibration; there is ${there}`,
      );
    }
    tables.push(await bundle.table(own?.table ?? calibration.table, { signal: options.signal }));
  }
  return tables;
}

/** Class of each row, -1 for none. */
function labelsOf(label: AnomalyOptions['label'], rows: number): number[] {
  const given = label === undefined ? [] : [label].flat();
  if (given.length > 1 && given.length !== rows)
    throw invalid('label', `must be one for all rows or one for each of the ${rows}, was ${given.length}`);
  return Array.from({ length: rows }, (_, row) => given[given.length > 1 ? row : 0] ?? -1);
}

function wantedScores(manifest: Manifest, names: readonly string[]): Score[] {
  const { scores, name: model } = manifest;
  const recommended = recommendedScore(manifest);
  if (!recommended) throw new GenserveError('OPERATION_UNSUPPORTED', `${model} has no anomaly scores`);
  if (names.length === 0) return [recommended];
  return names.map((name, i) => {
    const score = scores.find(candidate => candidate.name === name);
    if (!score) throw invalid(`scores[${i}]`, `${name} is unknown; there is ${scores.map(s => s.name).join(', ')}`);
    return score;
  });
}

/** [rows, height, width]: -log p of each pixel in nats, where the model tells it; by the seed and labels of `score`. */
async function anomalyMap(
  calls: Calls,
  data: Tensor,
  score: Score,
  options: AnomalyOptions,
): Promise<Tensor | undefined> {
  if (!calls.manifest.operations.some(({ name }) => name === 'log_prob_map')) return undefined;
  const { shape, data: logProbs } = await firstOutput(calls, 'log_prob_map', data, score, options);
  return float32(
    shape,
    Float32Array.from(logProbs, value => -value),
  );
}

/** The first output of an operation, for all rows, with the noise of the first draw. */
async function firstOutput(
  calls: Calls,
  name: string,
  data: Tensor,
  score: Score,
  options: AnomalyOptions,
): Promise<Tensor> {
  const operation = findOperation(calls.manifest, name);
  const rows = rowsOf(data, 'data');
  const stepRows = Array.from({ length: rows }, (_, index) => ({ index, sample: 0, draw: 0 }));
  const port = operation.outputs[0]!; // parseManifest asks for one
  const inputs = given(calls, operation, data, score, options);
  const call = calls.call(operation, inputs, rows, options.seed ?? score.seed, stepRows, options);
  return (await calls.gather(call, [port]))[port.name]!;
}

function quantised(data: Tensor, manifest: Manifest, seed: number): Tensor {
  return data.data instanceof Float32Array
    ? float32(data.shape, quantise(data.data.slice(), manifest.domain, seed))
    : data;
}
