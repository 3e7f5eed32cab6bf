// How a run trains: what a preset suggests and `--set training.<key>` overrides.
import { z } from 'zod';
import { mergeObjects } from '../merge.js';
import { optimiserNames } from '../optim/optimiser.js';
import { scheduleNames } from '../optim/schedule.js';

const share = z.number().min(0).lt(1);

const optimiser = {
  name: z.enum(optimiserNames),
  learningRate: z.number().positive(),
  beta1: share,
  beta2: share,
  epsilon: z.number().positive(),
  momentum: share,
  decay: share,
  weightDecay: z.number().min(0),
  decoupled: z.boolean(),
};

const schedule = z
  .strictObject({
    name: z.enum(scheduleNames).default('cosine'),
    warmUpSteps: z.int().min(0).default(100),
    decayFrom: z.number().min(0).max(1).default(0.3),
    factor: z.number().positive().max(1).optional(),
    every: z.int().min(1).optional(),
  })
  .refine(({ name, factor }) => factor !== undefined || (name !== 'exponential' && name !== 'step'), {
    path: ['factor'],
    message: 'the schedule needs it: by which the learning rate is multiplied, e.g. 0.999995 (exponential), 0.5 (step)',
  })
  .refine(({ name, every }) => every !== undefined || name !== 'step', {
    path: ['every'],
    message: 'the schedule needs it: steps between two falls of the learning rate',
  });

export const trainingSettings = z
  .strictObject({
    batch: z.int().min(1).max(65_536),
    optimiser: z.strictObject({
      name: optimiser.name.default('adam'),
      learningRate: optimiser.learningRate,
      beta1: optimiser.beta1.default(0.9),
      beta2: optimiser.beta2.default(0.999),
      epsilon: optimiser.epsilon.default(1e-8),
      momentum: optimiser.momentum.default(0.9),
      decay: optimiser.decay.default(0.9),
      weightDecay: optimiser.weightDecay.default(0),
      decoupled: optimiser.decoupled.default(false),
    }),
    /** What differs for single steps, by their names, e.g. {generator: {learningRate: 1e-4}}. */
    optimisers: z.record(z.string(), z.strictObject(optimiser).partial()).default({}),
    /** Decay of the moving average of the parameters that is evaluated and exported; 0 = none. */
    parameterAverage: share,
    /** See optim/clip.ts. */
    clipNorm: z.number().min(0).default(0),
    clipTensorNorm: z.number().min(0).default(0),
    clipValue: z.number().min(0).default(0),
    /** See optim/schedule.ts. */
    schedule: schedule.prefault({}),
    /** Steps between evaluations on held-out data. */
    evaluateEvery: z.int().min(1).default(500),
    /** Held-out rows of an evaluation. */
    evaluationRows: z.int().min(1).default(1000),
    /** Steps that one run of the engine takes: more spare a device the copies of the state in between. */
    stepsPerRun: z.int().min(1).max(1000).default(1),
    earlyStopping: z
      .strictObject({
        /** Evaluations without a better figure after which training stops with the best weights; 0 = never. */
        patience: z.int().min(0).default(0),
        /** Figure of the evaluations; less is better. */
        metric: z.string().default('nll_nats'),
        /** By how much less it must be. */
        gain: z.number().min(0).default(0),
      })
      .prefault({}),
    checkpointSeconds: z.number().positive().default(60),
    /** Non-finite losses or gradients in a row after which training stops; each such update is skipped. */
    toleratedNonFinite: z.int().min(0).default(20),
  })
  .refine(
    ({ clipNorm, clipTensorNorm, clipValue }) => [clipNorm, clipTensorNorm, clipValue].filter(Boolean).length < 2,
    {
      path: ['clipNorm'],
      message: 'set one of clipNorm, clipTensorNorm and clipValue, and the others to 0',
    },
  );

export type TrainingSettings = z.infer<typeof trainingSettings>;

/** The optimiser of the step of this name. */
export function optimiserOf(settings: TrainingSettings, step: string): TrainingSettings['optimiser'] {
  // `mergeObjects` keeps what the second leaves out.
  return mergeObjects(settings.optimiser, settings.optimisers[step] ?? {}) as TrainingSettings['optimiser'];
}
