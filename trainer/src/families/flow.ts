// What every normalising flow offers: a likelihood by the change of variables, and data from noise and back.
import type { Tensor } from '@tensorflow/tfjs';
import { standardNormalLogProb } from '../distributions/gaussian.js';
import type { Model, NoiseSpec, OperationSpec, PortSpec, StepSpec } from '../family.js';
import type { FlowMode } from '../nn/flow-layer.js';
import type { Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';
import type { FlowData } from './flow-data.js';

export interface Flow {
  /** Standard normal under the model, in order of their level from 1: shapes without the batch. */
  readonly latents: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Whether a row's code is its own while training: see StepSpec. */
  readonly rowsApart: boolean;
  /** y, the data on the real line -> codes and log|det d codes / d y|, nats, [batch] or a scalar. */
  encode(y: Tensor, mode: FlowMode): { readonly codes: readonly Tensor[]; readonly logDeterminant: Tensor };
  decode(codes: readonly Tensor[]): Tensor;
}

/** Through the codes and back: the picture itself, but for rounding. */
export function reconstruction(flow: Flow, data: FlowData): OperationSpec {
  const x: PortSpec = { name: 'x', role: 'data', shape: data.shape };
  return {
    name: 'reconstruct',
    inputs: [x],
    outputs: [{ ...x, name: 'y' }],
    run(inputs) {
      const { codes } = flow.encode(data.forward(inputs.x!).y, 'serve');
      return { y: data.inverse(flow.decode(codes)) };
    },
  };
}

/** Step and operations of a flow with these parameters. */
export function flowModel(flow: Flow, data: FlowData, parameters: readonly Variable[]): Model {
  /** log p(x), nats, [batch]; of quantised data the log-weight of one dequantisation. */
  const logProb = (x: Tensor, mode: FlowMode, u?: Tensor): Tensor => {
    const { y, logDensityChange } = data.forward(x, u);
    const { codes, logDeterminant } = flow.encode(y, mode);
    const prior = codes.map(standardNormalLogProb).reduce((sum, each) => tf.add(sum, each));
    return tf.add(prior, tf.add(logDeterminant, logDensityChange));
  };
  const byName = (codes: readonly Tensor[]) => Object.fromEntries(flow.latents.map(({ name }, i) => [name, codes[i]!]));

  const dequantisation = data.noises.map(({ name, shape }): PortSpec => ({ name, role: 'noise', shape }));
  const x: PortSpec = { name: 'x', role: 'data', shape: data.shape };
  const latents = flow.latents.map((latent, i): PortSpec => ({ ...latent, role: 'latent', level: i + 1 }));
  const temperature: PortSpec = { name: 'temperature', role: 'temperature', default: 1 };
  const latentNoises = flow.latents.map((latent): NoiseSpec => ({ ...latent, distribution: 'normal' }));
  const atTemperature = (noise: Tensor, temperature: Tensor) =>
    tf.mul(noise, tf.reshape(temperature, [-1, ...noise.shape.slice(1).map(() => 1)]));
  const decode = (codes: readonly Tensor[]) => data.inverse(flow.decode(codes));

  const likelihood: StepSpec = {
    name: 'likelihood',
    parameters,
    noises: data.noises,
    rowsApart: flow.rowsApart,
    // Bits per dimension, so that a clipped norm means the same for pictures of any size.
    loss({ data: rows, noise }) {
      const bits = tf.div(
        tf.mean(logProb(rows, 'train', noise.dequantisation)),
        -data.likelihood.dimensions * Math.LN2,
      );
      return { loss: bits };
    },
  };
  const operations: OperationSpec[] = [
    {
      name: 'sample',
      inputs: [...latents.map((latent): PortSpec => ({ ...latent, role: 'noise' })), temperature],
      outputs: [x],
      run: inputs => ({
        x: decode(flow.latents.map(({ name }) => atTemperature(inputs[name]!, inputs.temperature!))),
      }),
    },
    {
      name: 'decode',
      inputs: latents,
      outputs: [x],
      run: inputs => ({ x: decode(flow.latents.map(({ name }) => inputs[name]!)) }),
    },
    {
      name: 'encode',
      inputs: [x],
      outputs: latents,
      run: inputs => byName(flow.encode(data.forward(inputs.x!).y, 'serve').codes),
    },
    {
      name: 'log_prob',
      inputs: [x, ...dequantisation],
      outputs: [{ name: 'log_prob', role: 'log_prob' }],
      run: inputs => ({ log_prob: logProb(inputs.x!, 'serve', inputs.dequantisation) }),
    },
  ];
  return {
    stages: [{ name: 'joint', steps: [likelihood] }],
    operations,
    noises: [...latentNoises, ...data.noises],
    likelihood: data.likelihood,
    conditions: [],
  };
}
