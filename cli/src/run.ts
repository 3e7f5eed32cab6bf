// What train and resume share: watching a run, and what follows when it ends.
import type { Callbacks, ExportOptions, TrainResult } from '@genserve/trainer';
import { EXIT_CODES } from './exit-codes.js';
import { exportRun } from './export-run.js';
import { interruptible } from './interrupt.js';
import { type Figures, printFigures, say } from './output.js';
import { progress } from './progress.js';

export interface WatchedRun extends TrainResult {
  /** The last that was seen, under "train." and as evaluated. */
  readonly metrics: Readonly<Record<string, number>>;
}

interface RunOptions {
  readonly signal: AbortSignal;
  readonly callbacks: readonly Callbacks[];
}

/** Runs with a progress view, and with Ctrl-C as a request to stop at a checkpoint. */
export async function watchRun(start: (options: RunOptions) => Promise<TrainResult>): Promise<WatchedRun> {
  const metrics: Record<string, number> = {};
  const collector: Callbacks = {
    onStepEnd({ metrics: losses, imagesPerSecond }) {
      for (const [name, value] of Object.entries(losses)) metrics[`train.${name}`] = value;
      metrics['train.images_per_second'] = imagesPerSecond;
    },
    onEvaluate({ metrics: figures }) {
      Object.assign(metrics, figures);
    },
  };
  const result = await interruptible('stopping after this step and saving a checkpoint', signal =>
    start({ signal, callbacks: [progress(), collector] }),
  );
  const { step, elapsedSeconds } = result.position;
  return { ...result, metrics: { ...metrics, 'train.steps': step, 'train.seconds': elapsedSeconds } };
}

export interface Finish {
  readonly out: string;
  readonly export: boolean;
  readonly json?: boolean;
}

/** Exports a run that is finished; says how to go on with one that is not, with the exit code of Ctrl-C. */
export async function finishRun(run: WatchedRun, flags: Finish, options: ExportOptions): Promise<void> {
  const { folder, finished, metrics } = run;
  let bundle: Figures = { metrics: {}, context: {} };
  if (!finished) {
    say(`go on with: genserve resume ${folder}`);
    process.exitCode = EXIT_CODES.CANCELLED;
  } else {
    say(`report: ${folder}/report.html`);
    if (flags.export) bundle = await exportRun(folder, { ...options, out: flags.out });
  }
  if (!flags.json) return;
  const context = { run: folder, finished, engine: run.position.engine, ...bundle.context };
  printFigures({ metrics: { ...metrics, ...bundle.metrics }, context });
}
