// Settings of the game between a convolutional generator and a discriminator of the same shape (Radford et al. 2015).
import { z } from 'zod';
import { AVERAGE } from './image-gan.js';
import { instanceNoiseSettings } from './instance-noise.js';

export const convolutionalGame = {
  /** Size of the noise z. */
  latent: z.int().positive().default(100),
  /** Feature maps next to the picture; each level further has twice as many. */
  width: z.int().positive().default(64),
  /** Times that the picture is halved: 28 -> 14 -> 7. */
  levels: z.int().min(1).max(6).default(2),
  /** Units of a dense layer between maps and z, and between maps and what the discriminator says; 0 for none. */
  hidden: z.int().min(0).default(1024),
  /** Height and width of the filters. */
  size: z.int().min(2).default(5),
  /** Decay of the running statistics of batch normalisation. */
  normDecay: z.number().min(0).lt(1).default(AVERAGE),
  /** Real pictures count as real with probability 1 - labelSmoothing (one-sided: Salimans et al. 2016, sec. 3.4). */
  labelSmoothing: z.number().min(0).max(0.5).default(0),
  instanceNoise: instanceNoiseSettings,
  /** Updates of each network in a training step. */
  discriminatorSteps: z.int().positive().default(1),
  generatorSteps: z.int().positive().default(1),
};

/** What ships: a bundle of at most 4 MB in float16 on MNIST. */
export const smallGame = { width: 32, hidden: 256 };
