// A model on this device with a server behind it: loaded when it is asked for, as data may then leave the device.
import {
  type Anomaly,
  type AnomalyOptions,
  abortError,
  type CompleteOptions,
  type Conditions,
  type DrawOptions,
  type Generator,
  GenserveError,
  type InferOptions,
  type InterpolateOptions,
  type LikelihoodOptions,
  type Likelihoods,
  type Manifest,
  type Reason,
  type SampleOptions,
  type Samples,
  type StreamOptions,
  type Tensor,
  type Tensors,
  type TranslateOptions,
} from '@genserve/runtime';
import { type ClientGenerator, type GenerateForm, generate } from './client-generator.js';
import { type ConnectOptions, connect } from './connect.js';
import type { HybridOptions } from './load.js';

/** Failures that are the call's own: the server would say the same. */
const THE_CALLERS: readonly Reason[] = ['INVALID_ARGUMENT', 'OPERATION_UNSUPPORTED', 'CANCELLED', 'DEADLINE_EXCEEDED'];

/** Throws CONFIGURATION_INVALID where no server is given and the bundle's address names none. */
export async function loadHybrid(
  onDevice: () => Promise<ClientGenerator>,
  bundle: URL,
  options: HybridOptions,
): Promise<ClientGenerator> {
  const { url, ...server } = options.server ?? serverOf(bundle);
  const onServer = () => connect(url, { signal: options.signal, ...server });
  try {
    return new HybridGenerator(await onDevice(), onServer);
  } catch (error) {
    return new HybridGenerator(await onServer(), onServer, reasonOf(error, options.signal));
  }
}

function serverOf({ href }: URL): ConnectOptions & { readonly url: string } {
  const [, url, model, version] = /^(.*\/)bundles\/([^/]+)\/(\d+)\/$/.exec(href) ?? [];
  if (url && model) return { url, model, version: Number(version) };
  throw new GenserveError(
    'CONFIGURATION_INVALID',
    `server: ${href} is not <server>/bundles/<name>/<version>/, so that hybrid needs server: {url, model}`,
    { field: 'server' },
  );
}

/** Why the server is asked; throws where it should not be. */
function reasonOf(error: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted) throw abortError(signal);
  const failure = GenserveError.from(error);
  if (THE_CALLERS.includes(failure.reason)) throw failure;
  return `${failure.message} (${failure.reason})`;
}

class HybridGenerator implements ClientGenerator {
  #current: ClientGenerator;
  #reason: string | undefined;

  constructor(
    first: ClientGenerator,
    private readonly onServer: () => Promise<ClientGenerator>,
    reason?: string,
  ) {
    this.#current = first;
    this.#reason = reason;
  }

  get manifest(): Manifest {
    return this.#current.manifest;
  }

  get backend(): ClientGenerator['backend'] {
    return this.#current.backend;
  }

  get fallbackReason(): string | undefined {
    return this.#reason ?? this.#current.fallbackReason;
  }

  sample(options?: SampleOptions): Promise<Samples> {
    return this.#either(options, model => model.sample(options));
  }

  sampleStream(options?: SampleOptions & StreamOptions): AsyncIterable<Samples> {
    return this.#eitherStream(options, model => model.sampleStream(options));
  }

  encode(data: Tensor, options?: DrawOptions): Promise<Tensors> {
    return this.#either(options, model => model.encode(data, options));
  }

  decode(latents: Tensors, options?: DrawOptions & Conditions): Promise<Samples> {
    return this.#either(options, model => model.decode(latents, options));
  }

  reconstruct(data: Tensor, options?: DrawOptions): Promise<Samples> {
    return this.#either(options, model => model.reconstruct(data, options));
  }

  interpolate(from: Tensors, to: Tensors, options: InterpolateOptions): Promise<Samples> {
    return this.#either(options, model => model.interpolate(from, to, options));
  }

  complete(data: Tensor, mask: Tensor, options?: CompleteOptions): Promise<Samples> {
    return this.#either(options, model => model.complete(data, mask, options));
  }

  completeStream(data: Tensor, mask: Tensor, options?: CompleteOptions & StreamOptions): AsyncIterable<Samples> {
    return this.#eitherStream(options, model => model.completeStream(data, mask, options));
  }

  translate(data: Tensor, options?: TranslateOptions): Promise<Samples> {
    return this.#either(options, model => model.translate(data, options));
  }

  logLikelihood(data: Tensor, options?: LikelihoodOptions): Promise<Likelihoods> {
    return this.#either(options, model => model.logLikelihood(data, options));
  }

  anomaly(data: Tensor, options?: AnomalyOptions): Promise<readonly Anomaly[]> {
    return this.#either(options, model => model.anomaly(data, options));
  }

  infer(operation: string, inputs: Tensors, options?: InferOptions): Promise<Tensors> {
    return this.#either(options, model => model.infer(operation, inputs, options));
  }

  generate(form: GenerateForm, options?: CompleteOptions): Promise<Samples> {
    return generate(this, form, options);
  }

  close(): Promise<void> {
    return this.#current.close();
  }

  dispose(): Promise<void> {
    return this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #either<T>(
    options: { readonly signal?: AbortSignal | undefined } | undefined,
    call: (model: Generator) => Promise<T>,
  ): Promise<T> {
    const model = this.#current;
    try {
      return await call(model);
    } catch (error) {
      return await call(await this.#instead(model, error, options?.signal));
    }
  }

  /** A stream that breaks after its first part is not begun again: its rows are out already. */
  async *#eitherStream(
    options: { readonly signal?: AbortSignal | undefined } | undefined,
    call: (model: Generator) => AsyncIterable<Samples>,
  ): AsyncGenerator<Samples> {
    const model = this.#current;
    let begun = false;
    try {
      for await (const part of call(model)) {
        begun = true;
        yield part;
      }
    } catch (error) {
      if (begun) throw error;
      yield* call(await this.#instead(model, error, options?.signal));
    }
  }

  /** The server, from now on. Rejects with the device's error where the server is no way out. */
  async #instead(failed: ClientGenerator, error: unknown, signal: AbortSignal | undefined): Promise<ClientGenerator> {
    if (failed.backend === 'server') throw error;
    const reason = reasonOf(error, signal);
    if (this.#current === failed) {
      this.#current = await this.onServer();
      this.#reason = reason;
      await failed.close();
    }
    return this.#current;
  }
}
