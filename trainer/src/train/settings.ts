// How a run trains: what a preset suggests and `--set training.<key>` overrides.
import { z } from 'zod';
import { optimiserNames } from '../optim/optimiser.js';

export const trainingSettings = z.strictObject({
  batch: z.int().min(1).max(65_536),
  optimiser: z.strictObject({
    name: z.enum(optimiserNames).default('adam'),
    learningRate: z.number().positive(),
    beta1: z.number().min(0).lt(1).default(0.9),
    beta2: z.number().min(0).lt(1).default(0.999),
    epsilon: z.number().positive().default(1e-8),
  }),
  /** Decay of the moving average of the parameters that is evaluated and exported; 0 = none. */
  parameterAverage: z.number().min(0).lt(1),
  /** Greatest norm of all gradients together; 0 = no clipping. */
  clipNorm: z.number().min(0).default(0),
  schedule: z
    .strictObject({
      /** Steps over which the learning rate rises from 0. */
      warmUpSteps: z.int().min(0).default(100),
      /** After this share of the budget the learning rate falls to 0 along half a cosine; 1 = never. */
      decayFrom: z.number().min(0).max(1).default(0.3),
    })
    .prefault({}),
  /** Steps between evaluations on held-out data. */
  evaluateEvery: z.int().min(1).default(500),
  /** Held-out rows of an evaluation. */
  evaluationRows: z.int().min(1).default(1000),
  checkpointSeconds: z.number().positive().default(60),
  /** Non-finite losses or gradients in a row after which training stops; each such update is skipped. */
  toleratedNonFinite: z.int().min(0).default(20),
});

export type TrainingSettings = z.infer<typeof trainingSettings>;

/** Learning rate at a step (from 0), with `progress` = the share of the budget that is spent. */
export function learningRateAt(settings: TrainingSettings, step: number, progress: number): number {
  const { warmUpSteps, decayFrom } = settings.schedule;
  const rise = warmUpSteps === 0 ? 1 : Math.min(1, (step + 1) / warmUpSteps);
  const fallen = decayFrom >= 1 ? 0 : Math.min(1, Math.max(0, (progress - decayFrom) / (1 - decayFrom)));
  return settings.optimiser.learningRate * rise * 0.5 * (1 + Math.cos(Math.PI * fallen));
}
