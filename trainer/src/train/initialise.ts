// The start of a run: values drawn from its seed, then those that it starts from, or that the model sets by its first batch.
import type { Domain } from '@genserve/runtime';
import type { Augmentation } from '../data/augment.js';
import { batches } from '../data/batches.js';
import type { Split } from '../data/dataset.js';
import type { Engine } from '../engine/engine.js';
import type { State } from '../engine/program.js';
import type { InitialiseSpec } from '../family.js';
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
  readonly augmentation?: Augmentation | undefined;
  readonly engine: Engine;
  /** Values to start from, by variable; the model then sets none by its data. */
  readonly given?: ReadonlyMap<string, Float32Array> | undefined;
}

/** All that a checkpoint holds, before the first step. */
export async function firstState(options: FirstStateOptions): Promise<State> {
  const { run, seed, given } = options;
  const state = initialState(run.stateVariables, seed);
  if (given) for (const [name, values] of given) state.set(name, values);
  else if (run.model.initialise) await initialiseByData(state, run.model.initialise, options);
  else return state;
  // An average starts where its parameter does.
  for (const name of state.keys()) {
    const parameter = averagedName(name);
    if (parameter !== undefined) state.set(name, state.get(parameter)!.slice());
  }
  return state;
}

async function initialiseByData(
  state: State,
  initialise: InitialiseSpec,
  { run, data, domain, batch, seed, augmentation, engine }: FirstStateOptions,
): Promise<void> {
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
    const { value: first } = await batches(data, domain, { size: batch, seed, augmentation }).next();
    await executable.run(stepFeeds(step, first, shape, seed), state);
  } finally {
    await executable.close();
  }
}
