// A model on a server as a Generator: the same verbs, carried as genserve.v1 messages.
import {
  type Anomaly,
  type AnomalyOptions,
  type AnomalyScore,
  type CallOptions,
  type CompleteOptions,
  type Conditions,
  type DrawOptions,
  findOperation,
  GenserveError,
  type InferOptions,
  type InterpolateOptions,
  type LikelihoodOptions,
  type Likelihoods,
  type Manifest,
  type Message,
  type SampleOptions,
  type Samples,
  type StreamOptions,
  type Tensor,
  type Tensors,
  type TranslateOptions,
} from '@genserve/runtime';
import { type ClientGenerator, type GenerateForm, generate } from '../client-generator.js';
import type { HttpClient } from './http.js';
import { type Fields, fieldsOf, listOf, mapOf, numberOf } from './messages.js';
import { readTensor } from './tensor-json.js';

export class RemoteGenerator implements ClientGenerator {
  readonly backend = 'server';
  readonly fallbackReason = undefined;

  constructor(
    readonly manifest: Manifest,
    /** Where the bundle's files are served: what `loadGenerator` takes. */
    readonly bundleUrl: string,
    private readonly http: HttpClient,
    /** e.g. "v1/models/mnist-vae/versions/1" */
    private readonly path: string,
  ) {}

  async sample(options: SampleOptions = {}): Promise<Samples> {
    const { verb, message } = sampleRequest(options);
    return this.#draw(verb, message, options);
  }

  sampleStream(options: SampleOptions & StreamOptions = {}): AsyncGenerator<Samples> {
    const { verb, message } = sampleRequest(options);
    return this.#stream(verb, message, options);
  }

  async encode(data: Tensor, options: DrawOptions = {}): Promise<Tensors> {
    const answer = await this.#post('encode', { inputs: { tensor: data }, seed: options.seed }, options);
    return mapOf(answer, 'latents', readTensor);
  }

  decode(latents: Tensors, options: DrawOptions & Conditions = {}): Promise<Samples> {
    const message = { ...drawFields(options), latents: { values: latents, conditions: conditionsOf(options) } };
    return this.#draw('generate', message, options);
  }

  reconstruct(data: Tensor, options: DrawOptions = {}): Promise<Samples> {
    return this.#draw('reconstruct', { inputs: { tensor: data }, seed: options.seed }, options);
  }

  interpolate(from: Tensors, to: Tensors, options: InterpolateOptions): Promise<Samples> {
    const interpolation = { from: { values: from }, to: { values: to }, steps: options.steps };
    return this.#draw('generate', { interpolation }, options);
  }

  complete(data: Tensor, mask: Tensor, options: CompleteOptions = {}): Promise<Samples> {
    return this.#draw('generate', completionRequest(data, mask, options), options);
  }

  completeStream(data: Tensor, mask: Tensor, options: CompleteOptions & StreamOptions = {}): AsyncGenerator<Samples> {
    return this.#stream('generate', completionRequest(data, mask, options), options);
  }

  translate(data: Tensor, options: TranslateOptions = {}): Promise<Samples> {
    const { style, strength, backward } = options;
    const translation = { image: { tensor: data }, style: style && { tensor: style }, strength, backward };
    return this.#draw('generate', { ...drawFields(options), translation }, options);
  }

  async logLikelihood(data: Tensor, options: LikelihoodOptions = {}): Promise<Likelihoods> {
    const { draws, seed, estimator } = options;
    const message = { inputs: { tensor: data }, draws, seed, estimator, conditions: conditionsOf(options) };
    const answer = await this.#post('likelihood', message, options);
    const column = (name: string) =>
      Float64Array.from(listOf(answer, 'likelihoods'), row => numberOf(fieldsOf(row), name));
    return {
      logProb: column('logProb'),
      bitsPerDim: column('bitsPerDim'),
      standardError: column('standardError'),
      estimator: answer.estimator as Likelihoods['estimator'], // the server's closed list
      draws: numberOf(answer, 'draws'),
      seed: numberOf(answer, 'seed'),
    };
  }

  async anomaly(data: Tensor, options: AnomalyOptions = {}): Promise<readonly Anomaly[]> {
    const { scores, alpha, map, draws, seed, label, correction } = options;
    const labels = typeof label === 'number' ? [label] : label;
    const message = { inputs: { tensor: data }, scores, alpha, map, draws, seed, labels, correction };
    const answer = await this.#post('anomaly', message, options);
    return listOf(answer, 'results').map(row => {
      const result = fieldsOf(row);
      return {
        scores: listOf(result, 'scores').map(score => readScore(fieldsOf(score))),
        ...(result.map !== undefined && { map: readTensor(result.map, 'map') }),
      };
    });
  }

  /** By the Open Inference Protocol: to it, an operation is a model of its own. In JSON a float32 is exact. */
  async infer(
    operation: string,
    inputs: Tensors,
    { seed = 0, firstIndex, signal }: InferOptions = {},
  ): Promise<Tensors> {
    const { name, version } = this.manifest;
    const ports = findOperation(this.manifest, operation).outputs.filter(({ role }) => role !== 'state');
    const message = {
      parameters: { seed, first_index: firstIndex },
      inputs: Object.entries(inputs).map(([name, { dtype, shape, data }]) => ({
        name,
        shape,
        datatype: dtype === 'int32' ? 'INT32' : 'FP32',
        data: Array.from(data),
      })),
      outputs: ports.map(({ name }) => ({ name })),
    };
    const path = `v2/models/${name}.${operation}/versions/${version}/infer`;
    const answer = fieldsOf(await this.http.post(path, message, signal));
    const outputs = listOf(answer, 'outputs');
    return Object.fromEntries(
      ports.map(({ name, dtype }, i) => {
        const { shape, data: values } = fieldsOf(outputs[i]);
        return [name, readTensor({ dtype, shape, values }, name)];
      }),
    );
  }

  generate(form: GenerateForm, options?: CompleteOptions): Promise<Samples> {
    return generate(this, form, options);
  }

  async close(): Promise<void> {}

  async dispose(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  async #draw(verb: string, message: Message, options: CallOptions): Promise<Samples> {
    const samples = readSamples(await this.#post(verb, message, options));
    const rows = samples.data.shape[0] ?? 0;
    options.onProgress?.({ phase: 'run', done: rows, total: rows, unit: 'rows' });
    return samples;
  }

  async *#stream(verb: string, message: Message, options: CallOptions): AsyncGenerator<Samples> {
    for await (const part of this.http.stream(`${this.path}:${verb}`, message, options.signal)) {
      yield readSamples(fieldsOf(part));
    }
  }

  async #post(verb: string, message: Message, { signal }: CallOptions): Promise<Fields> {
    return fieldsOf(await this.http.post(`${this.path}:${verb}`, message, signal));
  }
}

type Draw = DrawOptions & { readonly count?: number | undefined };

function drawFields({ count, seed, firstIndex, temperature, truncation }: Draw) {
  return { count, seed, firstIndex, temperature, truncation };
}

/** The part of a request that says what to condition on; undefined where nothing is asked for. */
function conditionsOf({ label, vector, attributes, text }: Conditions): Message | undefined {
  if (label === undefined && !vector && !attributes && text === undefined) return undefined;
  return {
    labels: typeof label === 'number' ? [label] : label,
    vectors: vector,
    attributes,
    texts: typeof text === 'string' ? [text] : text,
  };
}

function sampleRequest(options: SampleOptions): { verb: string; message: Message } {
  const conditions = conditionsOf(options);
  const fields = { ...drawFields(options), count: options.count ?? 1 };
  return conditions ? { verb: 'generate', message: { ...fields, conditions } } : { verb: 'sample', message: fields };
}

function completionRequest(data: Tensor, mask: Tensor, options: CompleteOptions): Message {
  return { ...drawFields(options), count: options.count, completion: { image: { tensor: data }, mask } };
}

function readSamples(answer: Fields): Samples {
  const labels = listOf(answer, 'labels').map(Number);
  return {
    data: readTensor(answer.samples, 'samples'),
    seed: numberOf(answer, 'seed'),
    firstIndex: numberOf(answer, 'firstIndex'),
    ...(labels.length > 0 && { labels }),
  };
}

function readScore(score: Fields): AnomalyScore {
  const { name, unit, decision, recommended } = score;
  if (decision !== 'normal' && decision !== 'anomalous' && decision !== 'unsure') {
    throw new GenserveError('INTERNAL', `the answer has a decision that is not known: ${String(decision)}`);
  }
  return {
    name: String(name),
    value: numberOf(score, 'value'),
    unit: String(unit ?? ''),
    ...(score.pValue !== undefined && { pValue: numberOf(score, 'pValue') }),
    ...(score.adjustedPValue !== undefined && { adjustedPValue: numberOf(score, 'adjustedPValue') }),
    decision,
    recommended: recommended === true,
  };
}
