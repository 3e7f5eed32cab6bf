// What every autoregressive model of binary images offers: exact likelihoods in one pass, and samples and completions
// drawn pixel by pixel.
import type { Domain, ImageDomain } from '@genserve/runtime';
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { bernoulliLogProbMap } from '../distributions/bernoulli.js';
import { sumPerRow } from '../distributions/reduce.js';
import type { Model, NoiseSpec, OperationSpec, PortSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';

type NamedTensors = Readonly<Record<string, Tensor>>;

export interface BinaryAutoregressiveModel {
  /** Logits of p(x_i = 1 | pixels before i), all at once: [batch, height, width, 1], labels int32 [batch] -> same shape as x. */
  logits(x: Tensor, label?: Tensor): Tensor;
  readonly sampler: BinarySampler;
}

/** Draws an image pixel by pixel. */
export interface BinarySampler {
  /** Ports of a drawing that is done in several runs; none where it is done in one. */
  readonly inputs: readonly PortSpec[];
  readonly outputs: readonly PortSpec[];
  /**
   * `uniform` is [batch, height, width, 1]; `decide` takes the logits of a pixel and its uniform number, [batch, 1] each,
   * and gives the pixel. Returns the image and `outputs` by name.
   */
  draw(
    inputs: NamedTensors,
    uniform: Tensor,
    decide: (logits: Tensor, uniform: Tensor) => Tensor,
  ): { readonly image: Tensor; readonly next: NamedTensors };
}

/** The pixels that the model is of: those of the domain, to be binarised anew at every step where they are grey. */
export function binaryDomain(domain: Domain): Domain {
  if (!domain.image || domain.image.levels === 2) return domain;
  return { image: { ...domain.image, levels: 2, binarisation: 'dynamic' } };
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
export function binaryLogProb(model: BinaryAutoregressiveModel, x: Tensor, label?: Tensor): Tensor {
  return sumPerRow(bernoulliLogProbMap(model.logits(x, label), x));
}

/** Logits are divided by the temperature: 0.8 gives cleaner samples than the model's own, 1 the model's. */
const TEMPERATURE: PortSpec = { name: 'temperature', role: 'temperature', default: 1 };
/** -1: no label. */
const LABEL: PortSpec = { name: 'label', role: 'label', dtype: 'int32', default: -1 };

/** `classes` = 0 where the model is not conditional. */
export function binaryOperations(
  model: BinaryAutoregressiveModel,
  { height, width }: ImageDomain,
  classes = 0,
): Pick<Model, 'operations' | 'noises' | 'likelihood'> {
  const shape = [height, width, 1];
  const x: PortSpec = { name: 'x', role: 'data', shape };
  const label = classes > 0 ? [LABEL] : [];
  /** The uniform numbers that pixels are drawn with: pixel i is 1 where u_i < p(x_i = 1 | x_<i). */
  const uniforms: NoiseSpec = { name: 'pixels', distribution: 'uniform', shape };
  const pixels: PortSpec = { name: uniforms.name, role: 'noise', shape };
  const drawing = [pixels, TEMPERATURE, ...label, ...model.sampler.inputs];

  const draw = (inputs: NamedTensors, uniform: Tensor) => {
    const temperature = tf.reshape(inputs.temperature!, [-1, 1]);
    return model.sampler.draw(inputs, uniform, (logits, threshold) =>
      tf.cast(tf.less(threshold, tf.sigmoid(tf.div(logits, temperature))), 'float32'),
    );
  };

  const operations: OperationSpec[] = [
    {
      name: 'sample',
      inputs: drawing,
      outputs: [x, ...model.sampler.outputs],
      run(inputs) {
        const { image, next } = draw(inputs, inputs.pixels!);
        return { x: image, ...next };
      },
    },
    {
      // Known pixels are fed back as they are given, so that those after them are drawn from p(x_i | x_<i).
      name: 'complete',
      inputs: [x, { name: 'mask', role: 'mask', shape }, ...drawing],
      outputs: [{ ...x, name: 'y' }, ...model.sampler.outputs],
      run(inputs) {
        const known = tf.greater(inputs.mask!, 0.5);
        // A threshold below 0 is below every probability, one above 1 above.
        const forced = tf.sub(2, tf.mul(3, inputs.x!));
        const { image, next } = draw(inputs, tf.where(known, forced, inputs.pixels!));
        return { y: tf.where(known, inputs.x!, image), ...next };
      },
    },
    {
      name: 'log_prob',
      inputs: [x, ...label],
      outputs: [{ name: 'log_prob', role: 'log_prob' }],
      run: inputs => ({ log_prob: binaryLogProb(model, inputs.x!, inputs.label) }),
    },
    {
      name: 'log_prob_map',
      inputs: [x, ...label],
      outputs: [{ name: 'map', role: 'map', shape: [height, width] }],
      run(inputs) {
        const logits = model.logits(inputs.x!, inputs.label);
        return { map: tf.squeeze(bernoulliLogProbMap(logits, inputs.x!), [3]) };
      },
    },
  ];
  return {
    operations,
    noises: [uniforms],
    likelihood: {
      kind: 'exact',
      dimensions: height * width,
      measure: `counting measure on {0,1}^${height * width}`,
    },
  };
}
