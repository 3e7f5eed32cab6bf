// The background model of a likelihood ratio (Ren et al. 2019): a second network of the same family, trained beside the
// first on the same rows with some of their pixels replaced. It learns what all pictures of the kind have in common.
import type { ImageDomain } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import type { Model, NoiseSpec, StepSpec } from '../family.js';
import type { Scope } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

/** The part of a family's configuration that asks for one. */
export const backgroundSetting = {
  /** Share mu of pixels that are replaced by a level drawn at random in what a background model sees, 0.1 to 0.3 in the paper; 0 for none. */
  background: z.number().min(0).max(1).default(0),
} as const;

/**
 * What `build` makes, with a background model in a scope of its own where `share` is above 0: its `log_prob` is the
 * operation `background_log_prob`. The paper's L2 is the `weightDecay` of the optimiser of `background_<step>`.
 */
export function withBackground(share: number, image: ImageDomain, scope: Scope, build: (scope: Scope) => Model): Model {
  const model = build(scope);
  if (share === 0) return model;
  const background = build(scope.child('background'));
  const logProb = background.operations.find(({ name }) => name === 'log_prob')!; // of the same family as the first
  return {
    ...model,
    stages: model.stages.map((stage, i) => ({
      ...stage,
      steps: [...stage.steps, ...background.stages[i]!.steps.map(step => onPerturbed(step, share, image))],
    })),
    operations: [...model.operations, { ...logProb, name: 'background_log_prob' }],
  };
}

function onPerturbed(step: StepSpec, share: number, image: ImageDomain): StepSpec {
  const shape = [image.height, image.width, image.channels];
  const chance: NoiseSpec = { name: 'mutation', distribution: 'uniform', shape };
  const level: NoiseSpec = { name: 'level', distribution: 'uniform', shape };
  return {
    ...step,
    name: `background_${step.name}`,
    noises: [...step.noises, chance, level],
    loss: inputs => {
      const { data, noise } = inputs;
      return step.loss({ ...inputs, data: perturbed(data, noise.mutation!, noise.level!, share, image.levels) });
    },
  };
}

/** Pixels whose `chance` is below `share` become the level that `level`, uniform in (0, 1), falls on (sec. 3.2). */
export function perturbed(data: Tensor, chance: Tensor, level: Tensor, share: number, levels: number): Tensor {
  const drawn = levels > 1 ? tf.div(tf.floor(tf.mul(level, levels)), levels - 1) : level;
  return tf.where(tf.less(chance, share), drawn, data);
}
