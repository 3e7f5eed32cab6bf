// The process of one run of a plan; job.ts starts it and hears from it. It ends with whoever started it.
import { compiledEngine } from '../engine/compiled.js';
import type { Callbacks, StepEvent } from '../train/callbacks.js';
import { type Job, type JobReport, REPORTED } from './job.js';
import { runOne } from './one-run.js';

/** Between two steps that are told of. */
const STEP_MS = 100;

const stopping = new AbortController();
process.once('message', (job: Job) => {
  process.on('message', () => stopping.abort());
  void work(job);
});
process.on('disconnect', () => process.exit(1));
// Ctrl-C reaches the whole process group: the other end decides when a run stops.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

async function work({ recipe, places, threads, before, statePath }: Job): Promise<void> {
  let known = before;
  const memory = {
    path: statePath,
    get: () => known,
    async set(run: NonNullable<Job['before']>) {
      known = run;
      await tell({ kind: 'state', run });
    },
  };
  const result = await runOne(recipe, memory, places, {
    engine: compiledEngine({ threads }),
    signal: stopping.signal,
    callbacks: [reporter()],
    onAction: action => void tell({ kind: 'action', action }),
  });
  await tell({ kind: 'result', result });
  process.exit(0);
}

function reporter(): Callbacks {
  const report = Object.fromEntries(
    REPORTED.map(name => [name, (argument: unknown) => tell({ kind: 'event', name, argument })]),
  ) as Pick<Required<Callbacks>, (typeof REPORTED)[number]>; // of these names
  let toldAt = 0;
  return {
    ...report,
    onStepEnd(event: StepEvent) {
      if (event.nonFinite === undefined && performance.now() - toldAt < STEP_MS) return;
      toldAt = performance.now();
      return report.onStepEnd(event);
    },
  };
}

/** Settles when it is on its way. */
function tell(report: JobReport): Promise<void> {
  return new Promise(resolve => {
    process.send!(report, () => resolve()); // there is a channel: fork made this process
  });
}
