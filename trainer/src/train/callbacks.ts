// What a run tells those who watch it.
export interface RunInfo {
  readonly folder: string;
  readonly engine: string;
  readonly parameters: number;
  /** Steps done before: 0 but when resumed. */
  readonly startStep: number;
  readonly budget: Budget;
  /** What judges samples at each evaluation: figures of another hash are of another measure. */
  readonly classifier?: { readonly name: string; readonly sha256: string };
}

/** Where training ends: one of the two at least. With both, schedules follow the steps and the minutes are a guard. */
export interface Budget {
  readonly steps?: number | undefined;
  readonly minutes?: number | undefined;
}

export interface StepEvent {
  /** Steps done, this one included. */
  readonly step: number;
  readonly epoch: number;
  /** Losses and metrics by name; those of several optimisers bear the step's name: "critic/loss". */
  readonly metrics: Readonly<Record<string, number>>;
  readonly learningRate: number;
  /** Share of the budget that is spent, 0 to 1. */
  readonly progress: number;
  readonly imagesPerSecond: number;
  readonly elapsedSeconds: number;
  readonly secondsLeft: number;
  /** Output that was not finite, and the tensor that was so first: "loss (first: Log in decoder)"; the update was skipped. */
  readonly nonFinite?: string;
}

export interface EvaluateEvent {
  readonly step: number;
  readonly elapsedSeconds: number;
  /** By name, e.g. {nll_bound_nats}; on held-out data with averaged parameters. */
  readonly metrics: Readonly<Record<string, number>>;
  /** PNG of samples with the same noise each time. */
  readonly samples?: string;
}

export interface SaveEvent {
  readonly step: number;
  readonly path: string;
}

export interface TrainEndEvent {
  readonly step: number;
  readonly elapsedSeconds: number;
  /** False where the caller stopped the run before its budget was spent: it can be resumed. */
  readonly finished: boolean;
}

/** Each is awaited, in order of the list that holds it. */
export interface Callbacks {
  onTrainBegin?(info: RunInfo): void | Promise<void>;
  onTrainEnd?(event: TrainEndEvent): void | Promise<void>;
  onEpochBegin?(epoch: number): void | Promise<void>;
  onEpochEnd?(epoch: number): void | Promise<void>;
  /** `step` counts from 1. Steps that run together (training.stepsPerRun) begin together. */
  onStepBegin?(step: number): void | Promise<void>;
  onStepEnd?(event: StepEvent): void | Promise<void>;
  onEvaluate?(event: EvaluateEvent): void | Promise<void>;
  onSave?(event: SaveEvent): void | Promise<void>;
  /** Something to tell the user, e.g. a damaged checkpoint that was passed over. */
  onWarning?(message: string): void | Promise<void>;
}

/** One that calls all of them in turn. */
export function combine(list: readonly Callbacks[]): Required<Callbacks> {
  const each =
    <Argument>(pick: (callbacks: Callbacks) => ((argument: Argument) => void | Promise<void>) | undefined) =>
    async (argument: Argument) => {
      for (const callbacks of list) await pick(callbacks)?.call(callbacks, argument);
    };
  return {
    onTrainBegin: each(c => c.onTrainBegin),
    onTrainEnd: each(c => c.onTrainEnd),
    onEpochBegin: each(c => c.onEpochBegin),
    onEpochEnd: each(c => c.onEpochEnd),
    onStepBegin: each(c => c.onStepBegin),
    onStepEnd: each(c => c.onStepEnd),
    onEvaluate: each(c => c.onEvaluate),
    onSave: each(c => c.onSave),
    onWarning: each(c => c.onWarning),
  };
}
