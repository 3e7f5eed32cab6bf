// The verbs, written once over a Runner: the SDK on the device, the server's front and the trainer's evaluation all
// use this class. It cuts calls into steps, feeds them, and puts the answers together.
import type { Manifest, Operation, Port } from '@genserve/proto/manifest';
import type { Bundle } from './bundle.js';
import { throwIfAborted } from './cancel.js';
import { GenserveError, invalid } from './errors.js';
import { elbo, iwae } from './estimators.js';
import type {
  Anomaly,
  AnomalyOptions,
  AnomalyScore,
  CallOptions,
  CompleteOptions,
  Conditions,
  DrawOptions,
  Generator,
  InterpolateOptions,
  LikelihoodOptions,
  Likelihoods,
  SampleOptions,
  Samples,
  TranslateOptions,
} from './generator.js';
import { interpolate } from './interpolate.js';
import { findOperation, inputsOf } from './manifest.js';
import { checkSeed, drawSeed } from './noise.js';
import { checkCount, OperationInputs, quantise, type StepRow } from './ports.js';
import { decide, type Formula, pValue, SCORES, type ScoreFormula } from './scores.js';
import type { Runner } from './session.js';
import { runStep } from './steps.js';
import { concatenate, float32, int32, type Tensor, type Tensors } from './tensor.js';

/** What one verb runs. */
interface Call {
  readonly operation: Operation;
  readonly inputs: OperationInputs;
  readonly rows: readonly StepRow[];
  readonly options: CallOptions;
}

interface Step {
  readonly rows: readonly StepRow[];
  /** One per row, drawn ones included; absent where the operation takes none. */
  readonly labels?: readonly number[] | undefined;
  readonly outputs: Tensors;
}

export class BundleGenerator implements Generator {
  readonly manifest: Manifest;

  constructor(
    readonly bundle: Pick<Bundle, 'manifest' | 'table'>,
    readonly runner: Runner,
  ) {
    this.manifest = bundle.manifest;
  }

  async sample(options: SampleOptions = {}): Promise<Samples> {
    return await collect(this.sampleStream(options));
  }

  async *sampleStream(options: SampleOptions = {}): AsyncGenerator<Samples, void, undefined> {
    const operation = findOperation(this.manifest, 'sample');
    yield* this.#draw(this.#call(operation, this.#conditions(operation, options), options.count ?? 1, options));
  }

  async encode(data: Tensor, options: DrawOptions = {}): Promise<Tensors> {
    const operation = findOperation(this.manifest, 'encode');
    const call = this.#call(operation, this.#data(operation, data), rowsOf(data, 'data'), { seed: 0, ...options });
    const codes = operation.outputs.filter(({ role }) => role === 'latent' || role === 'codes');
    return await this.#gather(call, codes);
  }

  async decode(latents: Tensors, options: DrawOptions & Conditions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, 'decode');
    const rows = Math.max(1, ...Object.entries(latents).map(([name, value]) => rowsOf(value, `latents.${name}`)));
    const given = { ...this.#latents(operation, latents), ...this.#conditions(operation, options) };
    return await this.#all(operation, given, rows, options);
  }

  async reconstruct(data: Tensor, options: DrawOptions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, 'reconstruct');
    return await this.#all(operation, this.#data(operation, data), rowsOf(data, 'data'), options);
  }

  async interpolate(from: Tensors, to: Tensors, options: InterpolateOptions): Promise<Samples> {
    const operation = findOperation(this.manifest, 'decode');
    const steps = checkCount(options.steps, 'steps', 2);
    const latents = this.#latents(operation, interpolate(this.manifest, operation, from, to, steps));
    const inputs = new OperationInputs(this.manifest, operation, steps, latents, 0, fieldOf);
    // The same noise and label at every point, so that only the way between the two codes is seen.
    const rows = Array.from({ length: steps }, (_, index) => ({ index, sample: 0, draw: 0 }));
    return await collect(this.#draw({ operation, inputs, rows, options }));
  }

  async complete(data: Tensor, mask: Tensor, options: CompleteOptions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, 'complete');
    const given = { ...this.#data(operation, data), ...this.#input(operation, 'mask', mask, 'mask') };
    return await this.#all(operation, given, options.count ?? rowsOf(data, 'data'), options);
  }

  async translate(data: Tensor, options: TranslateOptions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, options.backward ? 'translate_back' : 'translate');
    const { style, strength } = options;
    const given = {
      ...this.#data(operation, data),
      ...(style && this.#input(operation, 'style', style, 'style')),
      ...(strength !== undefined && this.#input(operation, 'strength', float32([1], [strength]), 'strength')),
    };
    return await this.#all(operation, given, rowsOf(data, 'data'), options);
  }

  async logLikelihood(data: Tensor, options: LikelihoodOptions = {}): Promise<Likelihoods> {
    const { kind, dimensions } = this.manifest.likelihood ?? { kind: 'none', dimensions: 0 };
    if (kind === 'none') throw new GenserveError('OPERATION_UNSUPPORTED', `${this.manifest.name} has no likelihood`);
    const bound = kind === 'bound';
    const { seed = 0 } = options;
    if (options.estimator !== undefined && !['elbo', 'iwae'].includes(options.estimator))
      throw invalid('estimator', `must be elbo or iwae, was ${options.estimator}`);
    const estimator = bound ? (options.estimator ?? 'iwae') : 'exact';
    const draws = bound ? checkCount(options.draws ?? 1, 'draws') : 1;
    const operation = findOperation(this.manifest, 'log_prob');
    const given = { ...this.#data(operation, data), ...this.#conditions(operation, options) };
    const weights = await this.#logWeights(operation, given, rowsOf(data, 'data'), draws, seed, options);
    const estimates = weights.map(estimator === 'elbo' ? elbo : iwae);
    const logProb = Float64Array.from(estimates, estimate => estimate.logProb);
    return {
      logProb,
      bitsPerDim: logProb.map(value => -value / (dimensions * Math.LN2)),
      standardError: Float64Array.from(estimates, estimate => estimate.standardError),
      estimator,
      draws,
      seed,
    };
  }

  async anomaly(data: Tensor, options: AnomalyOptions = {}): Promise<readonly Anomaly[]> {
    const { alpha = 0.05 } = options;
    if (!(alpha > 0 && alpha < 1)) throw invalid('alpha', `must be between 0 and 1, was ${alpha}`);
    const rows = rowsOf(data, 'data');
    const results: { scores: AnomalyScore[]; map?: Tensor }[] = Array.from({ length: rows }, () => ({ scores: [] }));
    const wanted = this.#wantedScores(options.scores ?? []);
    for (const score of wanted) {
      const draws = checkCount(options.draws ?? score.draws, 'draws');
      const seed = options.seed ?? score.seed;
      const formula: ScoreFormula = SCORES[score.formula as Formula]; // checked against the closed list by parseManifest
      const values = await formula.compute({
        score,
        data: quantised(data, this.manifest, seed),
        logProb: async name => {
          const operation = findOperation(this.manifest, name);
          const weights = await this.#logWeights(operation, this.#data(operation, data), rows, draws, seed, options);
          return Float64Array.from(weights, row => iwae(row).logProb);
        },
        output: (name, role) => this.#scoringOutput(name, role, data, seed, options),
      });
      // A calibration holds for its own draws and seed.
      const table =
        score.calibration && draws === score.draws && seed === score.seed
          ? await this.bundle.table(score.calibration.table, { signal: options.signal })
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
    if (options.map && this.manifest.operations.some(({ name }) => name === 'log_prob_map')) {
      const seed = options.seed ?? wanted[0]!.seed;
      const map = await this.#scoringOutput('log_prob_map', 'map', data, seed, options);
      const size = map.data.length / rows;
      results.forEach((result, row) => {
        const part = Float32Array.from(map.data.subarray(row * size, (row + 1) * size), value => -value);
        result.map = float32(map.shape.slice(1), part);
      });
    }
    return results;
  }

  async close(): Promise<void> {
    await this.runner.close();
  }

  #wantedScores(names: readonly string[]) {
    const { scores, name: model } = this.manifest;
    if (scores.length === 0) throw new GenserveError('OPERATION_UNSUPPORTED', `${model} has no anomaly scores`);
    if (names.length === 0) return [scores.find(score => score.recommended) ?? scores[0]!];
    return names.map((name, i) => {
      const score = scores.find(candidate => candidate.name === name);
      if (!score) throw invalid(`scores[${i}]`, `${name} is unknown; there is ${scores.map(s => s.name).join(', ')}`);
      return score;
    });
  }

  /** The first output of this role, for all rows, with the noise of the first draw. */
  async #scoringOutput(name: string, role: string, data: Tensor, seed: number, options: CallOptions): Promise<Tensor> {
    const operation = findOperation(this.manifest, name);
    const rows = rowsOf(data, 'data');
    const inputs = new OperationInputs(this.manifest, operation, rows, this.#data(operation, data), seed, fieldOf);
    const stepRows = Array.from({ length: rows }, (_, index) => ({ index, sample: 0, draw: 0 }));
    const port = outputOf(operation, role);
    return (await this.#gather({ operation, inputs, rows: stepRows, options }, [port]))[port.name]!;
  }

  /** Log-weights in nats, [rows][draws]. Draw by draw, so that neighbouring rows share their noise. */
  async #logWeights(
    operation: Operation,
    given: Tensors,
    rows: number,
    draws: number,
    seed: number,
    options: CallOptions,
  ): Promise<Float64Array[]> {
    const inputs = new OperationInputs(this.manifest, operation, rows, given, seed, fieldOf);
    const port = outputOf(operation, 'log_prob');
    const stepRows = Array.from({ length: rows * draws }, (_, i) => ({
      index: i % rows,
      sample: 0,
      draw: Math.floor(i / rows),
    }));
    const weights = Array.from({ length: rows }, () => new Float64Array(draws));
    for await (const step of this.#steps({ operation, inputs, rows: stepRows, options })) {
      const { data } = step.outputs[port.name]!;
      step.rows.forEach(({ index, draw }, i) => {
        if (Number.isNaN(data[i])) throw notFinite(operation.name, index);
        weights[index]![draw] = data[i]!;
      });
    }
    return weights;
  }

  /** Rows whose noise is that of samples firstIndex, firstIndex + 1, ... */
  #call(operation: Operation, given: Tensors, count: number, options: DrawOptions): Call {
    const { temperature, truncation, firstIndex = 0 } = options;
    const seed = options.seed === undefined ? drawSeed() : checkSeed(options.seed);
    checkCount(count, 'count');
    checkCount(firstIndex, 'firstIndex', 0);
    if (firstIndex + count > 2 ** 32) throw invalid('firstIndex', `plus count must not exceed 2^32, was ${firstIndex}`);
    const all = {
      ...given,
      ...this.#scale(operation, 'temperature', temperature),
      ...this.#scale(operation, 'truncation', truncation),
    };
    const inputs = new OperationInputs(this.manifest, operation, count, all, seed, fieldOf);
    const rows = Array.from({ length: count }, (_, index) => ({ index, sample: firstIndex + index, draw: 0 }));
    return { operation, inputs, rows, options };
  }

  /** The data that the call gives, one part a step. */
  async *#draw(call: Call): AsyncGenerator<Samples, void, undefined> {
    const data = outputOf(call.operation, 'data');
    for await (const { rows, labels, outputs } of this.#steps(call)) {
      yield {
        data: outputs[data.name]!,
        seed: call.inputs.seed,
        firstIndex: rows[0]!.sample, // a step has at least one row
        ...(labels && { labels }),
      };
    }
  }

  async #all(operation: Operation, given: Tensors, count: number, options: DrawOptions): Promise<Samples> {
    return await collect(this.#draw(this.#call(operation, given, count, options)));
  }

  /** These outputs for all rows of the call. */
  async #gather(call: Call, ports: readonly Port[]): Promise<Tensors> {
    const parts: Tensors[] = [];
    for await (const step of this.#steps(call)) parts.push(step.outputs);
    return Object.fromEntries(ports.map(({ name }) => [name, concatenate(parts.map(part => part[name]!))]));
  }

  /** Runs the call step by step, checking the signal before each and reporting progress after it. */
  async *#steps({ operation, inputs, rows, options }: Call): AsyncGenerator<Step> {
    const { signal, onProgress } = options;
    const [label] = inputsOf(operation, 'label');
    const limit = Math.max(1, Math.floor(this.runner.rowsPerStep(operation.name)));
    for (let start = 0; start < rows.length; start += limit) {
      throwIfAborted(signal);
      const part = rows.slice(start, start + limit);
      const feeds = inputs.feeds(part);
      // Read before the run, which may transfer its feeds.
      const labels = label && Array.from(feeds[label.name]!.data);
      const outputs = await runStep(this.runner, operation, feeds, signal);
      onProgress?.({ phase: 'run', done: start + part.length, total: rows.length, unit: 'rows' });
      yield { rows: part, labels, outputs };
    }
  }

  #data(operation: Operation, data: Tensor): Tensors {
    return this.#input(operation, 'data', data, 'data');
  }

  #input(operation: Operation, role: string, value: Tensor, field: string): Tensors {
    const [port] = inputsOf(operation, role);
    if (!port) throw invalid(field, `${operation.name} of ${this.manifest.name} takes no ${field}`);
    return { [port.name]: value };
  }

  #latents(operation: Operation, latents: Tensors): Tensors {
    const ports = [...inputsOf(operation, 'latent'), ...inputsOf(operation, 'codes')].map(port => port.name);
    for (const name of Object.keys(latents))
      if (!ports.includes(name)) throw invalid(`latents.${name}`, `is unknown; decode takes ${ports.join(', ')}`);
    return latents;
  }

  /** 1 changes nothing, so it is taken by every model. */
  #scale(operation: Operation, role: 'temperature' | 'truncation', value: number | undefined): Tensors {
    if (value === undefined || (value === 1 && inputsOf(operation, role).length === 0)) return {};
    return this.#input(operation, role, float32([1], [value]), role);
  }

  #conditions(operation: Operation, { label, vector, attributes, text }: Conditions): Tensors {
    const labels = label === undefined ? [] : [label].flat();
    labels.forEach((value, i) => {
      if (!Number.isInteger(value)) throw invalid(labels.length > 1 ? `label[${i}]` : 'label', 'must be an integer');
    });
    if (text !== undefined)
      throw new GenserveError('OPERATION_UNSUPPORTED', `${this.manifest.name} takes no text`, { field: 'text' });
    return {
      ...(labels.length > 0 && this.#input(operation, 'label', int32([labels.length], labels), 'label')),
      ...(vector && this.#input(operation, 'vector', vector, 'vector')),
      ...(attributes && this.#input(operation, 'attributes', attributes, 'attributes')),
    };
  }
}

/** The caller's name for what feeds a port. */
function fieldOf({ role, name }: Port): string {
  if (role === 'latent' || role === 'codes') return `latents.${name}`;
  return role === 'noise' || role === 'state' || role === 'count' ? name : role;
}

function rowsOf({ shape }: Tensor, field: string): number {
  const rows = shape[0] ?? 0;
  if (rows < 1) throw invalid(field, `must hold at least one row, had shape [${shape}]`);
  return rows;
}

function outputOf(operation: Operation, role: string): Port {
  const port = operation.outputs.find(output => output.role === role);
  if (port) return port;
  throw new GenserveError('BUNDLE_INVALID', `operation ${operation.name} has no output of role ${role}`);
}

function quantised(data: Tensor, manifest: Manifest, seed: number): Tensor {
  return data.data instanceof Float32Array
    ? float32(data.shape, quantise(data.data, manifest.domain, checkSeed(seed)))
    : data;
}

function notFinite(what: string, row: number): GenserveError {
  return new GenserveError('NON_FINITE', `${what} of row ${row} is not a number`);
}

/** All parts as one. */
async function collect(stream: AsyncIterable<Samples>): Promise<Samples> {
  const parts: Samples[] = [];
  for await (const part of stream) parts.push(part);
  const [first] = parts;
  return {
    ...first!, // a call has at least one row, and so one part
    data: concatenate(parts.map(part => part.data)),
    ...(first!.labels && { labels: parts.flatMap(part => part.labels ?? []) }),
  };
}
