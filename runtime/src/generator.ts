// What a caller can do with a model, the same on the device, in the server and against it.
import type { Manifest } from './manifest.js';
import type { Tensor, Tensors } from './tensor.js';

export interface Progress {
  readonly phase: 'download' | 'compile' | 'run';
  readonly done: number;
  readonly total: number;
  /**
   * 'bytes' while downloading, 'sessions' while compiling, 'rows' (times draws, when scoring) while running: `done` has
   * a fraction while a picture is drawn in slices.
   */
  readonly unit: 'bytes' | 'sessions' | 'rows';
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** One label for all rows, or one per row. -1: drawn by training frequency. */
export interface Conditions {
  readonly label?: number | readonly number[] | undefined;
  /** float32 [rows or 1, size] */
  readonly vector?: Tensor | undefined;
  /** float32 [rows or 1, attributes] */
  readonly attributes?: Tensor | undefined;
  readonly text?: string | readonly string[] | undefined;
}

export interface DrawOptions extends CallOptions {
  /** 0 <= seed < 2^53; drawn and returned when absent (`encode`, which returns no seed, takes 0). */
  readonly seed?: number | undefined;
  /** Index of the first row: (seed, firstIndex 3, count 1) is the fourth sample of (seed, count 16). */
  readonly firstIndex?: number | undefined;
  readonly temperature?: number | undefined;
  readonly truncation?: number | undefined;
}

export interface SampleOptions extends DrawOptions, Conditions {
  /** 1 when absent. */
  readonly count?: number | undefined;
}

export interface Samples {
  /** float32 [count, ...domain]; images [count, height, width, channels] in [0, 1]. */
  readonly data: Tensor;
  readonly seed: number;
  readonly firstIndex: number;
  /** Labels asked for or drawn, one per row; absent for an unconditional model. */
  readonly labels?: readonly number[] | undefined;
  /** Of a preview alone: the rows of each picture that are drawn. The same pictures come again, further on. */
  readonly drawnRows?: number | undefined;
}

export interface StreamOptions {
  /**
   * Also hands out pictures while they are drawn, row by row, where the family draws so (autoregressive ones);
   * false when absent. A server that cannot sends whole pictures alone.
   */
  readonly previews?: boolean | undefined;
}

export interface LikelihoodOptions extends CallOptions, Conditions {
  /** Importance samples k of a bound; 1 when absent. Ignored for exact likelihoods. */
  readonly draws?: number | undefined;
  /** 0 when absent, so that a score depends on the row alone. */
  readonly seed?: number | undefined;
  /** 'iwae' when absent. */
  readonly estimator?: 'elbo' | 'iwae' | undefined;
}

export interface Likelihoods {
  /** Nats, one per row. */
  readonly logProb: Float64Array;
  readonly bitsPerDim: Float64Array;
  /** Of logProb over the draws, nats; 0 for exact likelihoods, and for one draw, which shows no spread. */
  readonly standardError: Float64Array;
  readonly estimator: 'exact' | 'elbo' | 'iwae';
  readonly draws: number;
  readonly seed: number;
}

export interface AnomalyOptions extends CallOptions {
  /** Names of scores; the recommended one when absent or empty. */
  readonly scores?: readonly string[] | undefined;
  /** Accepted rate of false alarms, 0 < alpha < 1; 0.05 when absent. */
  readonly alpha?: number | undefined;
  readonly map?: boolean | undefined;
  /**
   * The class that rows are supposed to be of, one for all or one per row; -1 for none. Scores with `usesLabel` in the
   * manifest need it: they say how normal a row is for one of its class. p-values are against normal data of that class
   * alone, where the calibration has it.
   */
  readonly label?: number | readonly number[] | undefined;
  /** Decide on the rows of this call together: `alpha` is then the expected share of normal rows among those called anomalous. */
  readonly correction?: 'benjamini-hochberg' | undefined;
  /** Other than the calibration's: scores come without p-values. */
  readonly draws?: number | undefined;
  readonly seed?: number | undefined;
}

export type Decision = 'normal' | 'anomalous' | 'unsure';

export interface AnomalyScore {
  readonly name: string;
  /** Higher = more anomalous. */
  readonly value: number;
  readonly unit: string;
  /** (1 + #{calibration scores >= value}) / (n + 1) */
  readonly pValue?: number | undefined;
  /** Where a correction was asked for: what `decision` compares with alpha. */
  readonly adjustedPValue?: number | undefined;
  readonly decision: Decision;
  readonly recommended: boolean;
}

export interface Anomaly {
  readonly scores: readonly AnomalyScore[];
  /** float32 [height, width], nats per pixel, higher = more anomalous; where the family gives one and it was asked for. */
  readonly map?: Tensor | undefined;
}

export interface InterpolateOptions extends CallOptions {
  /** Points on the way, both ends included; at least 2. */
  readonly steps: number;
}

export interface CompleteOptions extends DrawOptions {
  readonly count?: number | undefined;
}

export interface TranslateOptions extends DrawOptions {
  readonly style?: Tensor | undefined;
  readonly strength?: number | undefined;
  readonly backward?: boolean | undefined;
}

export interface InferOptions extends CallOptions {
  /** Of noise that is not given; 0 when absent. */
  readonly seed?: number | undefined;
  /** Whose noise the first row has, as in `DrawOptions`; 0 when absent. */
  readonly firstIndex?: number | undefined;
}

/**
 * A model that can be used. Data are float32 [count, ...domain], pictures [count, height, width, channels] in [0, 1];
 * where the domain has levels they are brought to them as it states: with two levels and binarisation `dynamic`, a grey
 * value is drawn as a Bernoulli variable keyed by the seed; with `threshold`, it is 1 from 0.5 up; with more levels,
 * the nearest is taken. Every method throws `GenserveError`: INVALID_ARGUMENT with the field, OPERATION_UNSUPPORTED
 * where the family has no such operation, CANCELLED after an abort, and what the backend adds (contract, section 9).
 */
export interface Generator {
  readonly manifest: Manifest;
  sample(options?: SampleOptions): Promise<Samples>;
  /** The same rows as `sample`, in parts in order of index. */
  sampleStream(options?: SampleOptions & StreamOptions): AsyncIterable<Samples>;
  /** Rows [count, ...domain] -> latent codes by port name, e.g. {z: [count, 64]}. */
  encode(data: Tensor, options?: DrawOptions): Promise<Tensors>;
  decode(latents: Tensors, options?: DrawOptions & Conditions): Promise<Samples>;
  reconstruct(data: Tensor, options?: DrawOptions): Promise<Samples>;
  /** Between two sets of codes of one row each. Spherical for Gaussian latents, linear otherwise. */
  interpolate(from: Tensors, to: Tensors, options: InterpolateOptions): Promise<Samples>;
  /** mask [count or 1, height, width, 1]: 1 = known, kept exactly. */
  complete(data: Tensor, mask: Tensor, options?: CompleteOptions): Promise<Samples>;
  /** The same rows as `complete`, in parts in order of index. */
  completeStream(data: Tensor, mask: Tensor, options?: CompleteOptions & StreamOptions): AsyncIterable<Samples>;
  translate(data: Tensor, options?: TranslateOptions): Promise<Samples>;
  logLikelihood(data: Tensor, options?: LikelihoodOptions): Promise<Likelihoods>;
  anomaly(data: Tensor, options?: AnomalyOptions): Promise<readonly Anomaly[]>;
  /**
   * Runs an operation on its own ports, by their names in the manifest: what no other verb reaches, such as `classify`,
   * `critic` and `features`. Inputs are [rows or 1, ...port.shape]; absent ones are drawn or take their defaults. All
   * outputs but state come back.
   */
  infer(operation: string, inputs: Tensors, options?: InferOptions): Promise<Tensors>;
  close(): Promise<void>;
}
