// What every exact autoregressive model of binary images offers: likelihoods in one pass, and samples and completions
// drawn pixel by pixel.
import type { Domain, ImageDomain } from '@genserve/runtime';
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { bernoulliLogProbMap } from '../distributions/bernoulli.js';
import { sumPerRow } from '../distributions/reduce.js';
import type { Model, OperationSpec, PortSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';
import { type BinarySampler, binaryDrawing, type NamedTensors } from './binary-drawing.js';
import { repeatRows } from './particles.js';

export interface BinaryAutoregressiveModel {
  /** Logits of p(x_i = 1 | pixels before i), all at once: [batch, height, width, 1], condition [batch, n] -> same shape as x. */
  logits(x: Tensor, condition?: Tensor): Tensor;
  readonly sampler: BinarySampler;
}

/** Throws CONFIGURATION_INVALID where the domain is not one of binary images of one channel. */
export function binaryImageOf(family: string, domain: Domain): ImageDomain {
  const { image } = domain;
  const problem = (message: string) =>
    new GenserveError('CONFIGURATION_INVALID', `${family}: ${message}`, { field: 'data' });
  if (!image) throw problem('the data must be images');
  if (image.channels !== 1) throw problem(`the images must have one channel, these have ${image.channels}`);
  if (image.levels !== 2) throw problem(`the images must be binary, these have ${image.levels} levels`);
  return image;
}

/** log p(x), nats, [batch]: the sum over pixels of log p(x_i | x_<i). */
export function binaryLogProb(model: BinaryAutoregressiveModel, x: Tensor, condition?: Tensor): Tensor {
  return sumPerRow(bernoulliLogProbMap(model.logits(x, condition), x));
}

/** What the operations of a conditional model are given beside the image, and what the model makes of it: [batch, n]. */
export interface ConditionInput {
  readonly port: PortSpec;
  encode(input: Tensor): Tensor;
}

export interface BinaryOperationOptions {
  /** Absent where the model is not conditional. */
  readonly condition?: ConditionInput | undefined;
  /** Completions that are drawn side by side for one answer: see particles.ts. */
  readonly particles: number;
}

export function binaryOperations(
  model: BinaryAutoregressiveModel,
  image: ImageDomain,
  { condition, particles }: BinaryOperationOptions,
): Pick<Model, 'operations' | 'noises' | 'likelihood'> {
  const { height, width } = image;
  const { draw, complete } = binaryDrawing(model.sampler, image, particles);
  const x: PortSpec = { name: 'x', role: 'data', shape: [height, width, 1] };
  const mask: PortSpec = { ...x, name: 'mask', role: 'mask' };
  const conditionPorts = condition ? [condition.port] : [];
  const conditionOf = (inputs: NamedTensors) => condition?.encode(inputs[condition.port.name]!); // of that name
  const operations: OperationSpec[] = [
    {
      name: 'sample',
      inputs: [...draw.inputs, ...conditionPorts],
      outputs: [x, ...draw.outputs],
      run(inputs) {
        const { image, next } = draw.run(inputs, { condition: conditionOf(inputs) });
        return { x: image, ...next };
      },
    },
    {
      name: 'complete',
      inputs: [x, mask, ...complete.inputs, ...conditionPorts],
      outputs: [{ ...x, name: 'y' }, ...complete.outputs],
      run(inputs) {
        const given = conditionOf(inputs);
        const { image, next } = complete.run(inputs, { condition: given && repeatRows(given, particles) });
        return { y: image, ...next };
      },
    },
    {
      name: 'log_prob',
      inputs: [x, ...conditionPorts],
      outputs: [{ name: 'log_prob', role: 'log_prob' }],
      run: inputs => ({ log_prob: binaryLogProb(model, inputs.x!, conditionOf(inputs)) }),
    },
    {
      name: 'log_prob_map',
      inputs: [x, ...conditionPorts],
      outputs: [{ name: 'map', role: 'map', shape: [height, width] }],
      run(inputs) {
        const logits = model.logits(inputs.x!, conditionOf(inputs));
        return { map: tf.squeeze(bernoulliLogProbMap(logits, inputs.x!), [3]) };
      },
    },
  ];
  return {
    operations,
    noises: [...draw.noises, ...complete.noises],
    likelihood: {
      kind: 'exact',
      dimensions: height * width,
      measure: `counting measure on {0,1}^${height * width}`,
    },
  };
}
