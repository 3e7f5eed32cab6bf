// The start of a run: values drawn from its seed, then those that the model sets by its first batch.
import type { Domain } from '@genserve/runtime';
import { batches } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import type { Engine } from '../engine/engine.js';
import type { State } from '../engine/program.js';
import { averagedName } from '../optim/average.js';
import { dataShape, stepFeeds } from './feeds.js';
import { initialState } from './initial-state.js';
import type { PreparedRun } from './run.js';
import { batchInputs, readBatch, updatesOf } from './step-program.js';

export interface FirstStateOptions {
  readonly run: PreparedRun;
  readonly data: Split;
  readonly domain: Domain;
  readonly batch: number;
  readonly seed: number;
  readonly engine: Engine;
}

/** All that a checkpoint holds, before the first step. */
export async function firstState({ run, data, domain, batch, seed, engine }: FirstStateOptions): Promise<State> {
  const state = initialState(run.stateVariables, seed);
  const { initialise } = run.model;
  if (!initialise) return state;
  const step = { ...initialise, name: 'initialise' };
  const shape = dataShape(domain);
  const executable = await engine.compile(
    {
      name: step.name,
      inputs: batchInputs(step, shape),
      state: run.variables,
      run(fed) {
        initialise.run(readBatch(updatesOf(step)[0]!, fed));
        return {};
      },
    },
    batch,
  );
  try {
    const { value: first } = await batches(data, domain, { size: batch, seed }).next();
    await executable.run(stepFeeds(step, first, shape, seed), state);
  } finally {
    await executable.close();
  }
  // An average starts where its parameter does.
  for (const name of state.keys()) {
    const parameter = averagedName(name);
    if (parameter !== undefined) state.set(name, Float32Array.from(state.get(parameter)!));
  }
  return state;
}
