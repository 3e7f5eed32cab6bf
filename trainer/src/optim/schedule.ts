// How the learning rate moves with the steps: a number fed at each, so that no schedule re-traces.

export const scheduleNames = ['constant', 'cosine', 'linear', 'exponential', 'step'] as const;

export interface Schedule {
  readonly name: (typeof scheduleNames)[number];
  /** Steps over which the rate rises from 0, whatever the schedule. */
  readonly warmUpSteps: number;
  /** cosine, linear: share of the budget after which the rate falls to 0 (CycleGAN: linear from 0.5). */
  readonly decayFrom: number;
  /** exponential: by which the rate is multiplied at every step (PixelCNN++: 0.999995); step: at every `every` steps. */
  readonly factor?: number | undefined;
  /** step: steps between two falls. */
  readonly every?: number | undefined;
}

/** Share of the full learning rate at a step (from 0), with `progress` = the share of the budget that is spent. */
export function scheduled(schedule: Schedule, step: number, progress: number): number {
  const { warmUpSteps } = schedule;
  const rise = warmUpSteps === 0 ? 1 : Math.min(1, (step + 1) / warmUpSteps);
  return rise * fall(schedule, step, progress);
}

function fall({ name, decayFrom, factor = 1, every = 1 }: Schedule, step: number, progress: number): number {
  const fallen = decayFrom >= 1 ? 0 : Math.min(1, Math.max(0, (progress - decayFrom) / (1 - decayFrom)));
  switch (name) {
    case 'constant':
      return 1;
    case 'cosine':
      return 0.5 * (1 + Math.cos(Math.PI * fallen));
    case 'linear':
      return 1 - fallen;
    case 'exponential':
      return factor ** step;
    case 'step':
      return factor ** Math.floor(step / every);
  }
}
