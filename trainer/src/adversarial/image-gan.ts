// What GANs of pictures share: how they are trained and what they offer, which is samples, decoding of their noise, and the
// critic's opinion of a picture.
import type { ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { imagePort } from '../families/image-data.js';
import type { Model, NoiseSpec, OperationSpec, PortSpec, StepSpec, TrainingDefaults } from '../family.js';
import { tanh } from '../nn/activations.js';
import { normal } from '../nn/initialisers.js';
import { tf } from '../trace/tensorflow.js';

/** Decay of the averages of parameters and of running statistics alike. */
export const AVERAGE = 0.999;

/** What the authors of DCGAN train with (Radford et al. 2015, sec. 4), and an average of the weights, which is served. */
export const radfordTraining: TrainingDefaults = {
  batch: 64,
  // The usual momentum of 0.9 made training unstable.
  optimiser: { name: 'adam', learningRate: 2e-4, beta1: 0.5 },
  parameterAverage: AVERAGE,
  schedule: { name: 'constant', warmUpSteps: 0 },
};

/** First values of their weights, N(0, 0.02^2), and of the gains of their normalisation. */
export const radfordWeights = { filter: normal(0.02), gain: normal(0.02, 1) } as const;

/** From pixels in [0, 1] to the range of tanh. */
export function toSymmetric(pixels: Tensor): Tensor {
  return tf.sub(tf.mul(2, pixels), 1);
}

/** tanh(x), given out in [0, 1]: onnxruntime's own goes 1e-7 past 1, where no picture may be. */
export function tanhPixels(x: Tensor): Tensor {
  return tf.clipByValue(tf.div(tf.add(tanh(x), 1), 2), 0, 1);
}

/** The noise z of generators. Normal, where papers before 2016 have it uniform: temperature and spherical paths need it so. */
export function latentNoise(size: number): NoiseSpec {
  return { name: 'z', distribution: 'normal', shape: [size] };
}

/** -1: no label, which callers of `sample` have drawn by training frequency. */
export const LABEL: PortSpec = { name: 'label', role: 'label', dtype: 'int32', default: -1 };

export interface ImageGan {
  readonly image: ImageDomain;
  readonly latent: number;
  readonly conditional?: boolean;
  /** Serving mode: z [batch, latent], label int32 [batch] where it is conditional -> pictures in [0, 1]. */
  generate(z: Tensor, label?: Tensor): Tensor;
  /** Serving mode: [batch], higher = more like the data. */
  criticise(x: Tensor): Tensor;
}

export function imageGanOperations(gan: ImageGan): Pick<Model, 'operations' | 'noises' | 'likelihood'> {
  const x = imagePort(gan.image);
  const noise = latentNoise(gan.latent);
  const z: PortSpec = { name: noise.name, role: 'latent', shape: noise.shape, level: 1 };
  const temperature: PortSpec = { name: 'temperature', role: 'temperature', default: 1 };
  const label = gan.conditional ? [LABEL] : [];
  const operations: OperationSpec[] = [
    {
      name: 'sample',
      inputs: [{ ...z, role: 'noise' }, temperature, ...label],
      outputs: [x],
      run(inputs) {
        const scaled = tf.mul(inputs.z!, tf.reshape(inputs.temperature!, [-1, 1]));
        return { x: gan.generate(scaled, inputs.label) };
      },
    },
    {
      name: 'decode',
      inputs: [z, ...label],
      outputs: [x],
      run: inputs => ({ x: gan.generate(inputs.z!, inputs.label) }),
    },
    {
      name: 'critic',
      inputs: [x],
      outputs: [{ name: 'score', role: 'score' }],
      run: inputs => ({ score: gan.criticise(inputs.x!) }),
    },
  ];
  return { operations, noises: [noise], likelihood: { kind: 'none', dimensions: 0, measure: '' } };
}

/** One stage in which the players take turns. */
export function game(...steps: StepSpec[]): Model['stages'] {
  return [{ name: 'game', steps }];
}
