// Steps that say that their rows are apart are trained on parts of a batch side by side: a batch must give what its halves give
// on average.
import type { ImageDomain, Tensors } from '@genserve/runtime';
import { describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { Program, RowParts, State } from '../engine/program.js';
import type { StepSpec } from '../family.js';
import { floats, integers, relativeDifference } from '../testing/agreement.js';
import { initialState } from '../train/initial-state.js';
import { buildModel, modelDomain, parseConfiguration } from '../train/run.js';
import { trainingSettings } from '../train/settings.js';
import { stepProgram } from '../train/step-program.js';
import { familyNamed } from './registry.js';

const BATCH = 8;
const SIDE = 8;
const image: ImageDomain = {
  ...{ height: SIDE, width: SIDE, channels: 1, levels: 256, binarisation: 'none', polarity: 'light-on-dark' },
  labels: ['a', 'b', 'c'],
};

const apart: [string, string, object][] = [
  ['vae', 'conv', { latent: 3 }],
  ['pixelvae', 'gated', { latent: 3, layers: 2, channels: 8 }],
  ['gated-pixelcnn', 'labels and a background', { channels: 8, layers: 2, condition: 'label', background: 0.2 }],
  ['pixelcnn', 'two blocks', { channels: 8, blocks: 2 }],
  ['made', 'one layer', { hidden: [80] }],
  ['glow', 'two levels', { levels: 2, steps: 2, width: 8 }],
  ['maf', 'no batch normalisation', { layers: 2, hidden: [80], batchNorm: false }],
  ['vq-vae', 'the prior', { codes: 8 }],
];

function stepsOf(name: string, configuration: object) {
  const family = familyNamed(name);
  const parsed = parseConfiguration(family, configuration);
  const domain = modelDomain(family, parsed, { image });
  const { model, variables } = buildModel({ family: name, configuration, domain });
  const training = trainingSettings.parse({ ...family.training, batch: BATCH });
  const steps = model.stages.flatMap(stage => stage.steps);
  return steps.map(step => ({ step, program: stepProgram(step, variables, [SIDE, SIDE, 1], training).program }));
}

describe.each(apart)('%s, %s', (name, _, configuration) => {
  const steps = stepsOf(name, configuration).filter(({ program }) => program.parts);

  test('has steps whose rows are apart', () => expect(steps).not.toEqual([]));

  test.each(steps.map(each => [each.step.name, each] as const))('%s', async (_, { step, program }) => {
    const parts = program.parts!; // those that have any
    const state = initialState(program.state, 1);
    const feeds = feedsOf(parts.rows, step);
    const whole = await run(parts, BATCH, feeds, state);
    const halves = [
      await run(parts, BATCH / 2, half(feeds, 0), state),
      await run(parts, BATCH / 2, half(feeds, 1), state),
    ];
    for (const [output, value] of Object.entries(whole)) {
      const [one, other] = halves.map(outputs => outputs[output]!.data as Float32Array<ArrayBuffer>);
      const mean = { ...value, data: one!.map((number, index) => (number + other![index]!) / 2) } as typeof value;
      expect(relativeDifference(value, mean), output).toBeLessThan(1e-5);
    }
    expect(halves[0]!.loss!.data[0]).not.toBe(halves[1]!.loss!.data[0]);
  });
});

test.each([
  ['dcgan', {}],
  ['wgan-gp', {}],
  ['ac-gan', {}],
  ['classifier', {}],
  ['maf', {}],
])('%s, which normalises by the batch, does not say so', (name, configuration) => {
  for (const { program } of stepsOf(name, configuration)) expect(program.parts).toBeUndefined();
});

async function run({ rows }: RowParts, batch: number, feeds: Tensors, state: State): Promise<Tensors> {
  const executable = await compiledEngine({ threads: 1 }).compile(rows, batch);
  const outputs = await executable.run(feeds, new Map(state));
  await executable.close();
  return outputs;
}

function feedsOf({ inputs }: Program, { coefficients = {} }: StepSpec): Tensors {
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }, index) => {
      if (name in coefficients) return [name, floats([], index, 0.5, 1)];
      const full = shape.map(extent => (extent === 'batch' ? BATCH : extent));
      return [name, dtype === 'int32' ? integers(full, 0, 3, index) : floats(full, index, 0, 1)];
    }),
  );
}

function half(feeds: Tensors, which: 0 | 1): Tensors {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => {
      const [batch, ...rest] = tensor.shape;
      if (batch === undefined) return [name, tensor];
      const middle = tensor.data.length / 2;
      const data = which === 0 ? tensor.data.slice(0, middle) : tensor.data.slice(middle);
      // slice keeps the kind of array
      return [name, { ...tensor, shape: [batch / 2, ...rest], data } as typeof tensor];
    }),
  );
}
