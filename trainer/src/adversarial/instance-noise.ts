// Noise on what a discriminator sees, real and generated alike, that fades away: it makes the two distributions overlap
// while they are still far apart (Sønderby et al. 2016, Amortised MAP inference, sec. 3.3).
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import type { NoiseSpec, StepInputs, StepSpec } from '../family.js';
import { tf } from '../trace/tensorflow.js';

export const instanceNoiseSettings = z
  .strictObject({
    /** Standard deviation at the start, of pixels in [0, 1]; 0 for none. */
    deviation: z.number().min(0).default(0),
    /** Steps over which it falls to 0 along a line. */
    steps: z.int().positive().default(10_000),
  })
  .prefault({});

type Side = 'real' | 'fake';

export interface InstanceNoise {
  noises(...sides: Side[]): NoiseSpec[];
  readonly coefficients: NonNullable<StepSpec['coefficients']>;
  /** x with the noise of its side upon it; the step lists that noise and the coefficients. */
  apply(x: Tensor, side: Side, inputs: Pick<StepInputs, 'noise' | 'coefficients'>): Tensor;
}

/** `shape` is that of one row. */
export function instanceNoise(
  { deviation, steps }: z.infer<typeof instanceNoiseSettings>,
  shape: readonly number[],
): InstanceNoise {
  if (deviation === 0) return { noises: () => [], coefficients: {}, apply: x => x };
  const nameOf = (side: Side) => `${side}_instance_noise`;
  return {
    noises: (...sides) => sides.map(side => ({ name: nameOf(side), distribution: 'normal', shape })),
    coefficients: { instanceNoise: step => deviation * Math.max(0, 1 - step / steps) },
    apply: (x, side, { noise, coefficients }) => tf.add(x, tf.mul(coefficients.instanceNoise!, noise[nameOf(side)]!)),
  };
}
