// For tests: runs tfjs code both ways, eagerly on tfjs's own cpu backend and as a recorded graph, and compares.
import type { Tensor as FeedTensor, Tensors } from '@genserve/runtime';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { Program } from '../engine/program.js';
import { size } from '../graph/types.js';
import { tf } from '../trace/tensorflow.js';

export type Body = (...inputs: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

export interface Case {
  readonly name: string;
  readonly inputs: readonly FeedTensor[];
  readonly body: Body;
  /** Whether the derivatives for the float inputs are compared as well; true when absent. */
  readonly gradients?: boolean;
  /** Greatest difference, relative to the largest magnitude of the tensor; 1e-5 when absent. */
  readonly tolerance?: number;
}

/** A reproducible stream of numbers in (0, 1), for test data. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

/** float32 on (low, high), distinct enough that no two elements tie. */
export function floats(shape: readonly number[], seed = 1, low = -2, high = 2): FeedTensor {
  const next = numbers(seed);
  const data = Float32Array.from({ length: size(shape) }, () => low + (high - low) * next());
  return { dtype: 'float32', shape, data };
}

/** int32 in [low, high). */
export function integers(shape: readonly number[], low: number, high: number, seed = 1): FeedTensor {
  const next = numbers(seed);
  const data = Int32Array.from({ length: size(shape) }, () => Math.floor(low + (high - low) * next()));
  return { dtype: 'int32', shape, data };
}

/** Values of the body and, where asked for, the derivatives of a weighted sum of them. */
function programOf({ name, inputs, body, gradients = true }: Case): Program {
  const list = (result: tf.Tensor | tf.Tensor[]) => (Array.isArray(result) ? result : [result]);
  const weighted = (tensor: tf.Tensor) => {
    const weights = floats(tensor.shape, 77, 0.5, 1.5);
    return tf.sum(tf.mul(tf.cast(tensor, 'float32'), tf.tensor(weights.data, tensor.shape)));
  };
  return {
    name,
    inputs: inputs.map(({ dtype, shape }, index) => ({ name: `in${index}`, dtype, shape })),
    state: [],
    run(fed) {
      const tensors = inputs.map((_, index) => fed[`in${index}`]!);
      const outputs: Record<string, tf.Tensor> = {};
      for (const [index, value] of list(body(...tensors)).entries()) outputs[`value${index}`] = value;
      if (!gradients) return outputs;
      const variable = inputs.flatMap(({ dtype }, index) => (dtype === 'float32' ? [index] : []));
      const total = (...moving: tf.Tensor[]) => {
        const all = tensors.map((tensor, index) =>
          variable.includes(index) ? moving[variable.indexOf(index)]! : tensor,
        );
        return tf.addN(list(body(...all)).map(weighted));
      };
      const derivatives = tf.grads(total)(variable.map(index => tensors[index]!));
      for (const [index, derivative] of derivatives.entries()) outputs[`gradient${index}`] = derivative;
      return outputs;
    },
  };
}

export interface Difference {
  readonly output: string;
  /** Relative to the largest magnitude; Infinity where shapes or types differ. */
  readonly relative: number;
}

/** The worst difference between the two ways of running a case. */
export async function compare(each: Case): Promise<Difference> {
  const program = programOf(each);
  const feeds: Tensors = Object.fromEntries(each.inputs.map((feed, index) => [`in${index}`, feed]));
  const eager = await (await eagerEngine().compile(program, 1)).run(feeds, new Map());
  const executable = await compiledEngine({ threads: 1 }).compile(program, 1);
  const compiled = await executable.run(feeds, new Map());
  await executable.close();
  return worst(eager, compiled);
}

export function worst(expected: Tensors, actual: Tensors): Difference {
  const differences = Object.entries(expected).map(([output, tensor]) => ({
    output,
    relative: relativeDifference(tensor, actual[output]),
  }));
  return differences.reduce((a, b) => (b.relative > a.relative ? b : a), { output: '', relative: 0 });
}

export function relativeDifference(expected: FeedTensor, actual: FeedTensor | undefined): number {
  if (actual?.dtype !== expected.dtype || String(actual.shape) !== String(expected.shape))
    return Number.POSITIVE_INFINITY;
  let difference = 0;
  let magnitude = 1e-3;
  for (const [index, number] of expected.data.entries()) {
    const other = actual.data[index]!;
    if (Object.is(number, other) || (Number.isNaN(number) && Number.isNaN(other)) || number === other) continue;
    const gap = Math.abs(number - other);
    difference = Math.max(difference, Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap);
    magnitude = Math.max(magnitude, Math.abs(number));
  }
  return difference / magnitude;
}
