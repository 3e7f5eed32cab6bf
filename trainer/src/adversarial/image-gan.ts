// What every GAN of pictures offers: samples, decoding of its noise, and its critic's opinion of a picture.
import { type Domain, GenserveError, type ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import type { Model, NoiseSpec, OperationSpec, PortSpec, StepSpec } from '../family.js';
import type { Scope, Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

/** Throws CONFIGURATION_INVALID where the data are not pictures. */
export function imageOf(family: string, domain: Domain): ImageDomain {
  if (domain.image) return domain.image;
  throw new GenserveError('CONFIGURATION_INVALID', `${family}: the data must be images`, { field: 'data' });
}

/** What an optimiser moves: statistics are not among them. */
export function parametersOf(scope: Scope): Variable[] {
  return scope.variables().filter(variable => variable.trainable);
}

/** The noise z of generators. Normal, where papers before 2016 have it uniform: temperature and spherical paths need it so. */
export function latentNoise(size: number): NoiseSpec {
  return { name: 'z', distribution: 'normal', shape: [size] };
}

/** -1: no label, which callers of `sample` have drawn by training frequency. */
export const LABEL: PortSpec = { name: 'label', role: 'label', dtype: 'int32', default: -1 };

export function imagePort({ height, width, channels }: ImageDomain): PortSpec {
  return { name: 'x', role: 'data', shape: [height, width, channels] };
}

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
