// For tests: what must hold on every device, as a table of tests.
import { fillNoise, type Tensor, type Tensors } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { type Device, requireDevice } from '../engine/device.js';
import type { State } from '../engine/program.js';
import { createSession } from '../engine/session.js';
import { operationProgram } from '../export/operation-program.js';
import { vae } from '../families/vae.js';
import { exportOperations } from '../trace/operations.js';
import { initialState } from '../train/initial-state.js';
import { buildModel, type PreparedRun, prepareRun } from '../train/run.js';
import { trainingSettings } from '../train/settings.js';
import { floats, relativeDifference, worst } from './agreement.js';
import { blobDataset, blobSize } from './blobs.js';

const batch = 4;
/** WebGPU compiles a shader for every kernel, slowly on a processor. */
const timeoutMs = 180_000;
const record = {
  family: 'vae',
  configuration: {
    ...{ latent: 3, encoder: [{ channels: 4, stride: 2 }], hidden: [8], decoder: [{ channels: 4, stride: 2 }] },
    likelihood: 'bernoulli',
  },
  domain: { ...blobDataset().domain, image: { ...blobDataset().domain.image!, levels: 2, binarisation: 'dynamic' } },
  training: trainingSettings.parse({ ...vae.training, batch }),
};

/** What one step is fed. */
function feeds({ stages }: PreparedRun): Tensors {
  const { program } = stages[0]!.steps[0]!;
  const draw = (name: string, shape: number[]): Tensor => {
    return {
      dtype: 'float32',
      shape: [batch, ...shape],
      data: fillNoise({ seed: 2, name, distribution: 'normal', shape, count: batch }),
    };
  };
  const data = draw('data', [blobSize, blobSize, 1]);
  return {
    data: { ...data, dtype: 'float32', data: Float32Array.from(data.data, value => (value > 0 ? 1 : 0)) },
    'elbo/epsilon': draw('epsilon', [3]),
    ...program.scalars(1, 0, 1e-2),
  };
}

async function step(device: Device): Promise<{ outputs: Tensors; state: State }> {
  const run = await prepareRun(record, compiledEngine({ device, threads: 1 }));
  const state = initialState(run.stateVariables, 11);
  const { executable } = run.stages[0]!.steps[0]!;
  const outputs = await executable.run(feeds(run), state);
  await executable.close();
  return { outputs, state };
}

/** float32 tensors of a state, to compare. */
const tensors = (state: State): Tensors =>
  Object.fromEntries(
    [...state].map(([name, values]) => [
      name,
      { dtype: 'float32', shape: [values.length], data: Float32Array.from(values) },
    ]),
  );

export function describeDevice(device: Device): void {
  describe(device, () => {
    it(
      'takes a training step as the CPU does, to 1e-3',
      async () => {
        await requireDevice(device);
        const [expected, found] = [await step('cpu'), await step(device)];
        expect(worst(expected.outputs, found.outputs).relative).toBeLessThan(1e-3);
        const { output, relative } = worst(tensors(expected.state), tensors(found.state));
        expect(relative, output).toBeLessThan(1e-3);
      },
      timeoutMs,
    );

    it(
      'runs an exported operation as the CPU does, to 1e-3',
      async () => {
        const { model, variables } = buildModel(record);
        const decode = model.operations.find(({ name }) => name === 'decode')!;
        const { operations, weights } = exportOperations(
          [operationProgram(decode, variables)],
          initialState(variables, 11),
        );
        const options = weights.length > 0 ? { weights } : {};
        const z = { z: floats([5, 3], 4) };
        const results: Tensor[] = [];
        for (const each of ['cpu', device] as const) {
          const session = await createSession(operations[0]!.model, { ...options, device: each });
          results.push(Object.values(await session.run(z))[0]!);
          await session.close();
        }
        expect(relativeDifference(results[0]!, results[1])).toBeLessThan(1e-3);
      },
      timeoutMs,
    );
  });
}
