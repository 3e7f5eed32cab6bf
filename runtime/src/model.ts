// The verbs, written once over a Runner: the SDK on the device, the server's front and the trainer's evaluation all
// use this class. What drawing samples does not need is loaded when it is first asked for: a page that only draws
// downloads no scores.
import type { Manifest, Operation } from '@genserve/proto/manifest';
import type { Bundle } from './bundle.js';
import { Calls, collect, rowsOf } from './calls.js';
import type {
  Anomaly,
  AnomalyOptions,
  CompleteOptions,
  Conditions,
  DrawOptions,
  Generator,
  InferOptions,
  InterpolateOptions,
  LikelihoodOptions,
  Likelihoods,
  SampleOptions,
  Samples,
  StreamOptions,
  TranslateOptions,
} from './generator.js';
import { findOperation } from './manifest.js';
import { checkCount } from './ports.js';
import type { Runner } from './session.js';
import { float32, type Tensor, type Tensors } from './tensor.js';

export class BundleGenerator implements Generator {
  readonly manifest: Manifest;
  readonly #calls: Calls;

  constructor(
    readonly bundle: Pick<Bundle, 'manifest' | 'table'>,
    readonly runner: Runner,
  ) {
    this.manifest = bundle.manifest;
    this.#calls = new Calls(bundle, runner);
  }

  async sample(options: SampleOptions = {}): Promise<Samples> {
    return await collect(this.sampleStream(options));
  }

  async *sampleStream(options: SampleOptions & StreamOptions = {}): AsyncGenerator<Samples, void, undefined> {
    const operation = findOperation(this.manifest, 'sample');
    const given = this.#calls.conditions(operation, options);
    yield* this.#calls.draw(this.#calls.drawing(operation, given, options.count ?? 1, options));
  }

  async encode(data: Tensor, options: DrawOptions = {}): Promise<Tensors> {
    const operation = findOperation(this.manifest, 'encode');
    const given = this.#calls.data(operation, data);
    const call = this.#calls.drawing(operation, given, rowsOf(data, 'data'), { seed: 0, ...options });
    const codes = operation.outputs.filter(({ role }) => role === 'latent' || role === 'codes');
    return await this.#calls.gather(call, codes);
  }

  async decode(latents: Tensors, options: DrawOptions & Conditions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, 'decode');
    const rows = Math.max(1, ...Object.entries(latents).map(([name, value]) => rowsOf(value, `latents.${name}`)));
    const given = { ...this.#calls.latents(operation, latents), ...this.#calls.conditions(operation, options) };
    return await this.#all(operation, given, rows, options);
  }

  async reconstruct(data: Tensor, options: DrawOptions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, 'reconstruct');
    return await this.#all(operation, this.#calls.data(operation, data), rowsOf(data, 'data'), options);
  }

  async interpolate(from: Tensors, to: Tensors, options: InterpolateOptions): Promise<Samples> {
    const operation = findOperation(this.manifest, 'decode');
    const steps = checkCount(options.steps, 'steps', 2);
    const { interpolate } = await import('./interpolate.js');
    const latents = this.#calls.latents(operation, interpolate(this.manifest, operation, from, to, steps));
    // The same noise and label at every point, so that only the way between the two codes is seen.
    const rows = Array.from({ length: steps }, (_, index) => ({ index, sample: 0, draw: 0 }));
    return await collect(this.#calls.draw(this.#calls.call(operation, latents, steps, 0, rows, options)));
  }

  async complete(data: Tensor, mask: Tensor, options: CompleteOptions = {}): Promise<Samples> {
    return await collect(this.completeStream(data, mask, options));
  }

  async *completeStream(
    data: Tensor,
    mask: Tensor,
    options: CompleteOptions & StreamOptions = {},
  ): AsyncGenerator<Samples, void, undefined> {
    const operation = findOperation(this.manifest, 'complete');
    const given = { ...this.#calls.data(operation, data), ...this.#calls.input(operation, 'mask', mask, 'mask') };
    const count = options.count ?? rowsOf(data, 'data');
    yield* this.#calls.draw(this.#calls.drawing(operation, given, count, options));
  }

  async translate(data: Tensor, options: TranslateOptions = {}): Promise<Samples> {
    const operation = findOperation(this.manifest, options.backward ? 'translate_back' : 'translate');
    const { style, strength } = options;
    const given = {
      ...this.#calls.data(operation, data),
      ...(style && this.#calls.input(operation, 'style', style, 'style')),
      ...(strength !== undefined && this.#calls.input(operation, 'strength', float32([1], [strength]), 'strength')),
    };
    return await this.#all(operation, given, rowsOf(data, 'data'), options);
  }

  async logLikelihood(data: Tensor, options: LikelihoodOptions = {}): Promise<Likelihoods> {
    const { logLikelihood } = await import('./likelihood.js');
    return await logLikelihood(this.#calls, data, options);
  }

  async anomaly(data: Tensor, options: AnomalyOptions = {}): Promise<readonly Anomaly[]> {
    const { anomaly } = await import('./scores/anomaly.js');
    return await anomaly(this.#calls, data, options);
  }

  async infer(operation: string, inputs: Tensors, options: InferOptions = {}): Promise<Tensors> {
    const { infer } = await import('./infer.js');
    return await infer(this.#calls, operation, inputs, options);
  }

  async close(): Promise<void> {
    await this.runner.close();
  }

  async #all(operation: Operation, given: Tensors, count: number, options: DrawOptions): Promise<Samples> {
    return await collect(this.#calls.draw(this.#calls.drawing(operation, given, count, options)));
  }
}
