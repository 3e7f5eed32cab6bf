// log.jsonl: one line per event, appended as it happens; a resumed run goes on in the same file.
import { appendFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Callbacks, StepEvent } from './callbacks.js';
import { storageError } from './checkpoint.js';
import { runPaths } from './run-folder.js';

const STEPS_PER_LINE = 10;

export function logger(folder: string): Callbacks {
  const path = runPaths(folder).log;
  const write = (event: string, fields: object) =>
    appendFile(path, `${JSON.stringify({ event, ...fields })}\n`).catch((cause: unknown) => {
      throw storageError(path, cause);
    });
  let recent: StepEvent[] = [];
  return {
    onTrainBegin: ({ folder: _, ...info }) => write('begin', { time: new Date().toISOString(), ...info }),
    async onStepEnd(event) {
      recent.push(event);
      const due = event.step === 1 || event.step % STEPS_PER_LINE === 0;
      if (event.nonFinite === undefined && !due) return;
      const { metrics: _, ...fields } = event;
      const lines = { ...fields, metrics: meanMetrics(recent) };
      recent = [];
      await write('step', lines);
    },
    onEvaluate: ({ samples, ...fields }) =>
      write('evaluate', { ...fields, ...(samples !== undefined && { samples: relative(folder, samples) }) }),
    onSave: ({ step, path: saved }) => write('save', { step, path: relative(folder, saved) }),
    onTrainEnd: event => write('end', event),
    onWarning: message => write('warning', { message }),
  };
}

/** Of each over the steps that have it: not every optimiser takes part in every step. */
function meanMetrics(events: readonly StepEvent[]): Record<string, number> {
  const values: Record<string, number[]> = {};
  for (const { metrics, nonFinite } of events)
    if (nonFinite === undefined)
      for (const [name, value] of Object.entries(metrics)) {
        values[name] ??= [];
        values[name].push(value);
      }
  return Object.fromEntries(
    Object.entries(values).map(([name, list]) => [name, list.reduce((sum, value) => sum + value, 0) / list.length]),
  );
}
