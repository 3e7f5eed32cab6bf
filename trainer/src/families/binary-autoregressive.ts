// What every autoregressive model of binary images offers: exact likelihoods in one pass, and samples and completions
// drawn pixel by pixel.
import type { Domain, ImageDomain } from '@genserve/runtime';
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { bernoulliLogProbMap } from '../distributions/bernoulli.js';
import { sumPerRow } from '../distributions/reduce.js';
import type { Model, NoiseSpec, OperationSpec, PortSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';
import { chooseParticle, repeatRows, systematicResampling, takeParticles } from './particles.js';

type NamedTensors = Readonly<Record<string, Tensor>>;

export interface BinaryAutoregressiveModel {
  /** Logits of p(x_i = 1 | pixels before i), all at once: [batch, height, width, 1], labels int32 [batch] -> same shape as x. */
  logits(x: Tensor, label?: Tensor): Tensor;
  readonly sampler: BinarySampler;
}

/** Draws images pixel by pixel. */
export interface BinarySampler {
  /** Inputs that say which part to draw, where a drawing can be done in several runs. */
  readonly counts: readonly PortSpec[];
  /** Shapes, without the batch, of what one run leaves for the next; all zero before the first. */
  readonly states: Readonly<Record<string, readonly number[]>>;
  /** Parts, e.g. rows, after each of which a drawing can be revised. */
  readonly parts: number;
  draw(options: DrawOptions): Drawing;
}

export interface DrawOptions {
  /** Counts and label by the names of their ports. */
  readonly inputs: NamedTensors;
  readonly states: NamedTensors;
  /** [batch, height, width, 1] */
  readonly uniform: Tensor;
  /** Logits of a pixel and its uniform number, [batch, 1] each -> the pixel. */
  decide(logits: Tensor, uniform: Tensor): Tensor;
  /** Called after each part, to replace all that has been drawn and computed so far, by name. */
  revise?(part: DrawnPart): NamedTensors;
}

export interface DrawnPart {
  /** Which part: int32 scalar. */
  readonly index: Tensor;
  /** [batch, pixels of the part] */
  readonly logits: Tensor;
  /** The same pixels of a picture, [batch, height, width, 1] -> [batch, pixels of the part]. */
  pick(picture: Tensor): Tensor;
  readonly drawn: NamedTensors;
}

export interface Drawing {
  /** [batch, height, width, 1] */
  readonly image: Tensor;
  readonly states: NamedTensors;
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

export interface BinaryOperationOptions {
  /** 0 where the model is not conditional. */
  readonly classes?: number;
  /** Completions that are drawn side by side for one answer: see particles.ts. */
  readonly particles: number;
}

export function binaryOperations(
  model: BinaryAutoregressiveModel,
  { height, width }: ImageDomain,
  { classes = 0, particles }: BinaryOperationOptions,
): Pick<Model, 'operations' | 'noises' | 'likelihood'> {
  const { sampler } = model;
  const shape = [height, width, 1];
  const x: PortSpec = { name: 'x', role: 'data', shape };
  const label = classes > 0 ? [LABEL] : [];
  /** The uniform numbers that pixels are drawn with: pixel i is 1 where u_i < p(x_i = 1 | x_<i). */
  const pixels: NoiseSpec = { name: 'pixels', distribution: 'uniform', shape };
  /** The same for each particle; and what decides after each part, and at last, which of them go on. */
  const particlePixels: NoiseSpec = { name: 'particle_pixels', distribution: 'uniform', shape: [particles, ...shape] };
  const survival: NoiseSpec = { name: 'survival', distribution: 'uniform', shape: [sampler.parts + 1] };
  const noise = ({ name, shape }: NoiseSpec): PortSpec => ({ name, role: 'noise', shape });
  const stateNames = Object.keys(sampler.states);
  const states = (prefix: string, lead: readonly number[]): PortSpec[] =>
    stateNames.map(name => {
      return { name: `${prefix}${name}`, role: 'state', shape: [...lead, ...sampler.states[name]!], default: 0 };
    });
  const next = (tensors: NamedTensors) =>
    Object.fromEntries(stateNames.map(name => [`next_${name}`, tensors[name]!] as const));

  /** Bernoulli, logits divided by the temperature [batch]. */
  const atTemperature = (temperature: Tensor) => {
    const column = tf.reshape(temperature, [-1, 1]);
    return {
      decide: (logits: Tensor, uniform: Tensor) =>
        tf.cast(tf.less(uniform, tf.sigmoid(tf.div(logits, column))), 'float32'),
      logProb: (logits: Tensor, value: Tensor) => bernoulliLogProbMap(tf.div(logits, column), value),
    };
  };

  const sample = (inputs: NamedTensors) => {
    const { image, states } = sampler.draw({
      inputs,
      states: inputs,
      uniform: inputs.pixels!,
      decide: atTemperature(inputs.temperature!).decide,
    });
    return { x: image, ...next(states) };
  };

  const complete = (inputs: NamedTensors) => {
    const known = tf.greater(inputs.mask!, 0.5);
    const repeat = (tensor: Tensor) => repeatRows(tensor, particles);
    const [values, mask] = [repeat(inputs.x!), repeat(tf.cast(known, 'float32'))];
    const uniform = tf.reshape(inputs.particle_pixels!, [-1, ...shape]);
    // Known pixels are forced: a threshold below 0 is below every probability, one above 1 above.
    const forced = tf.sub(2, tf.mul(3, values));
    const { decide, logProb } = atTemperature(repeat(inputs.temperature!));
    const { image, states } = sampler.draw({
      inputs: inputs.label ? { ...inputs, label: repeat(inputs.label) } : inputs,
      states: Object.fromEntries(
        stateNames.map(name => [name, tf.reshape(inputs[name]!, [-1, ...sampler.states[name]!])]),
      ),
      uniform: tf.where(tf.greater(mask, 0.5), forced, uniform),
      decide,
      revise({ index, logits, pick, drawn }) {
        const logWeights = tf.sum(tf.mul(pick(mask), logProb(logits, pick(values))), 1);
        const places = systematicResampling(logWeights, tf.gather(inputs.survival!, index, 1), particles);
        return Object.fromEntries(
          Object.entries(drawn).map(([name, all]) => [name, takeParticles(all, places, particles)]),
        );
      },
    });
    const last = tf.squeeze(tf.slice(inputs.survival!, [0, sampler.parts], [-1, 1]), [1]);
    const chosen = chooseParticle(image, last, particles);
    const perRow = Object.fromEntries(
      stateNames.map(name => [name, tf.reshape(states[name]!, [-1, particles, ...sampler.states[name]!])]),
    );
    return { y: tf.where(known, inputs.x!, chosen), ...next(perRow) };
  };

  const operations: OperationSpec[] = [
    {
      name: 'sample',
      inputs: [noise(pixels), TEMPERATURE, ...label, ...sampler.counts, ...states('', [])],
      outputs: [x, ...states('next_', [])],
      run: sample,
    },
    {
      name: 'complete',
      inputs: [
        x,
        { name: 'mask', role: 'mask', shape },
        noise(particlePixels),
        noise(survival),
        TEMPERATURE,
        ...label,
        ...sampler.counts,
        ...states('', [particles]),
      ],
      outputs: [{ ...x, name: 'y' }, ...states('next_', [particles])],
      run: complete,
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
    noises: [pixels, particlePixels, survival],
    likelihood: {
      kind: 'exact',
      dimensions: height * width,
      measure: `counting measure on {0,1}^${height * width}`,
    },
  };
}
