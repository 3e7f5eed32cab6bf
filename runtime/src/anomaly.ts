// Anomaly scores of given data, their p-values and decisions. Loaded when a model is first asked for one.
import type { Manifest, Score } from '@genserve/proto/manifest';
import { type Calls, outputOf, rowsOf } from './calls.js';
import { GenserveError, invalid } from './errors.js';
import { iwae } from './estimators.js';
import type { Formula } from './formulas.js';
import type { Anomaly, AnomalyOptions, AnomalyScore, CallOptions } from './generator.js';
import { logWeights, notFinite } from './likelihood.js';
import { findOperation } from './manifest.js';
import { checkSeed } from './noise.js';
import { checkCount, quantise } from './ports.js';
import { decide, pValue, SCORES } from './scores.js';
import { float32, type Tensor } from './tensor.js';

/** `Generator.anomaly`. */
export async function anomaly(calls: Calls, data: Tensor, options: AnomalyOptions): Promise<readonly Anomaly[]> {
  const { manifest } = calls;
  const { alpha = 0.05 } = options;
  if (!(alpha > 0 && alpha < 1)) throw invalid('alpha', `must be between 0 and 1, was ${alpha}`);
  const rows = rowsOf(data, 'data');
  const results: { scores: AnomalyScore[]; map?: Tensor }[] = Array.from({ length: rows }, () => ({ scores: [] }));
  const wanted = wantedScores(manifest, options.scores ?? []);
  for (const score of wanted) {
    const draws = checkCount(options.draws ?? score.draws, 'draws');
    const seed = options.seed ?? score.seed;
    const formula = SCORES[score.formula as Formula]; // checked against the closed list by parseManifest
    const values = await formula.compute({
      score,
      data: quantised(data, manifest, seed),
      logProb: async name => {
        const operation = findOperation(manifest, name);
        const weights = await logWeights(calls, operation, calls.data(operation, data), rows, draws, seed, options);
        return Float64Array.from(weights, row => iwae(row).logProb);
      },
      output: (name, role) => scoringOutput(calls, name, role, data, seed, options),
    });
    // A calibration holds for its own draws and seed.
    const table =
      score.calibration && draws === score.draws && seed === score.seed
        ? await calls.bundle.table(score.calibration.table, { signal: options.signal })
        : undefined;
    values.forEach((value, row) => {
      if (Number.isNaN(value)) throw notFinite(`score ${score.name}`, row);
      const p = table && pValue(table, value);
      results[row]!.scores.push({
        name: score.name,
        value,
        unit: formula.unit,
        ...(p !== undefined && { pValue: p }),
        decision: decide(p, alpha, table?.length ?? 0),
        recommended: score.recommended,
      });
    });
  }
  if (options.map && manifest.operations.some(({ name }) => name === 'log_prob_map')) {
    const seed = options.seed ?? wanted[0]!.seed;
    const map = await scoringOutput(calls, 'log_prob_map', 'map', data, seed, options);
    const size = map.data.length / rows;
    results.forEach((result, row) => {
      const part = Float32Array.from(map.data.subarray(row * size, (row + 1) * size), value => -value);
      result.map = float32(map.shape.slice(1), part);
    });
  }
  return results;
}

function wantedScores({ scores, name: model }: Manifest, names: readonly string[]): readonly Score[] {
  if (scores.length === 0) throw new GenserveError('OPERATION_UNSUPPORTED', `${model} has no anomaly scores`);
  if (names.length === 0) return [scores.find(score => score.recommended) ?? scores[0]!];
  return names.map((name, i) => {
    const score = scores.find(candidate => candidate.name === name);
    if (!score) throw invalid(`scores[${i}]`, `${name} is unknown; there is ${scores.map(s => s.name).join(', ')}`);
    return score;
  });
}

/** The first output of this role, for all rows, with the noise of the first draw. */
async function scoringOutput(
  calls: Calls,
  name: string,
  role: string,
  data: Tensor,
  seed: number,
  options: CallOptions,
): Promise<Tensor> {
  const operation = findOperation(calls.manifest, name);
  const rows = rowsOf(data, 'data');
  const stepRows = Array.from({ length: rows }, (_, index) => ({ index, sample: 0, draw: 0 }));
  const port = outputOf(operation, role);
  const call = calls.call(operation, calls.data(operation, data), rows, seed, stepRows, options);
  return (await calls.gather(call, [port]))[port.name]!;
}

function quantised(data: Tensor, manifest: Manifest, seed: number): Tensor {
  return data.data instanceof Float32Array
    ? float32(data.shape, quantise(data.data, manifest.domain, checkSeed(seed)))
    : data;
}
