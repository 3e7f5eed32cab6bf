// A variational auto-encoder small enough to enumerate: 2x2 binary images, one latent. For tests.
import type { Tensor, Tensors } from '@genserve/runtime';
import type { Engine } from '../engine/engine.js';
import type { State } from '../engine/program.js';
import { operationProgram } from '../export/operation-program.js';
import { vae } from '../families/vae.js';
import type { Model } from '../family.js';
import { Scope, type Variable } from '../nn/variable.js';
import { initialState } from '../train/initial-state.js';

export const tinyDomain = {
  image: { height: 2, width: 2, channels: 1, levels: 2, binarisation: 'none', polarity: 'light-on-dark', labels: [] },
};

export interface TinyVae {
  readonly model: Model;
  readonly variables: readonly Variable[];
  readonly state: State;
}

/** Weights are drawn large, so that the posterior is far from the prior. */
export function tinyVae(scale = 3): TinyVae {
  const scope = new Scope();
  const configuration = vae.configuration.parse({ latent: 1, hidden: [6], activation: 'elu' });
  const model = vae.build(configuration, tinyDomain, scope);
  const state = initialState(scope.variables(), 7);
  for (const [name, values] of state)
    state.set(
      name,
      values.map(value => value * scale),
    );
  return { model, variables: scope.variables(), state };
}

/** All 16 images, [16, 2, 2, 1]. */
export function allImages(): Tensor {
  const data = Float32Array.from({ length: 64 }, (_, i) => ((i >> 2) >> (i & 3)) & 1);
  return { dtype: 'float32', shape: [16, 2, 2, 1], data };
}

/** Runs one operation of the model. */
export async function runOperation(
  { model, variables, state }: TinyVae,
  name: string,
  feeds: Tensors,
  engine: Engine,
): Promise<Tensors> {
  const operation = model.operations.find(candidate => candidate.name === name)!;
  const batch = Object.values(feeds)[0]!.shape[0]!;
  const executable = await engine.compile(operationProgram(operation, variables), batch);
  try {
    return await executable.run(feeds, state);
  } finally {
    await executable.close();
  }
}
