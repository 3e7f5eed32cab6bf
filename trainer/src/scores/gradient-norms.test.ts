// The statistics of a batch are those that each of its rows has alone, by tfjs' own derivatives of the parameter itself.
import type { ImageDomain, Tensors } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { Engine } from '../engine/engine.js';
import type { Program } from '../engine/program.js';
import { operationProgram } from '../export/operation-program.js';
import { familyNamed } from '../families/registry.js';
import type { OperationSpec } from '../family.js';
import type { Variable } from '../nn/variable.js';
import { floats, integers } from '../testing/agreement.js';
import { tf } from '../trace/tensorflow.js';
import { initialState } from '../train/initial-state.js';
import { buildModel, modelDomain, parseConfiguration } from '../train/run.js';
import { gradientNorms } from './gradient-norms.js';

const BATCH = 3;
const SIDE = 8;
const image: ImageDomain = {
  ...{ height: SIDE, width: SIDE, channels: 1, levels: 256, binarisation: 'none', polarity: 'light-on-dark' },
  labels: ['a', 'b', 'c'],
};

const cases: [string, string, object][] = [
  ['vae', 'dense layers and a background model', { latent: 3, hidden: [12], background: 0.2 }],
  ['vae', 'convolutions', { latent: 3, encoder: [{ channels: 4, stride: 2 }], decoder: [{ channels: 4, stride: 2 }] }],
  ['pixelvae', 'gated', { latent: 3, layers: 2, channels: 6 }],
  ['gated-pixelcnn', 'labels', { channels: 6, layers: 2, condition: 'label' }],
  ['pixelcnn', 'two blocks', { channels: 6, blocks: 2 }],
  ['made', 'one layer', { hidden: [80] }],
  ['glow', 'two levels', { levels: 2, steps: 2, width: 6 }],
  ['maf', 'two layers', { layers: 2, hidden: [80] }],
];

function built(name: string, configuration: object) {
  const family = familyNamed(name);
  const domain = modelDomain(family, parseConfiguration(family, configuration), { image });
  const { model, variables } = buildModel({ family: name, configuration, domain });
  const state = initialState(variables, 1);
  // Last layers begin at zero, where earlier ones have no gradient.
  for (const [index, { name, trainable, shape }] of variables.entries()) {
    const nudge = floats(shape, index + 1, -0.1, 0.1).data;
    const nudged = state.get(name)!.map((value, i) => value + nudge[i]!);
    if (trainable) state.set(name, nudged);
  }
  return { model, variables, state };
}

describe.each(cases)('%s, %s', (name, _, configuration) => {
  const { model, variables, state } = built(name, configuration);
  const statistics = gradientNorms(model, variables)!;
  const program = operationProgram(statistics, variables);
  const feeds = feedsOf(program);

  test('has a statistic for each bias of the model itself', async () => {
    const biases = variables.filter(({ isBias }) => isBias);
    expect(statistics.outputs[0]!.shape).toEqual([biases.filter(({ name }) => !name.startsWith('background')).length]);
  });

  test('each row has the gradients that it has alone', async () => {
    const logProb = model.operations.find(({ name }) => name === 'log_prob')!;
    const alone = { ...program, run: (inputs: Record<string, Tensor>) => normsOfOne(logProb, variables, inputs) };
    const { norms } = await run(compiledEngine({ threads: 1 }), program, BATCH, feeds);
    const layers = norms!.data.length / BATCH;
    for (let row = 0; row < BATCH; row++) {
      const { norms: own } = await run(eagerEngine(), alone, 1, rowOf(feeds, row));
      const difference = Array.from(own!.data, (value, layer) => Math.abs(value - norms!.data[row * layers + layer]!));
      expect(Math.max(...difference)).toBeLessThan(1e-4);
      expect(Math.max(...own!.data)).toBeGreaterThan(0.01);
    }
  });

  function run(engine: Engine, program: Program, batch: number, feeds: Tensors) {
    return engine.compile(program, batch).then(async executable => {
      const outputs = await executable.run(feeds, new Map(state));
      await executable.close();
      return outputs;
    });
  }
});

test('a model without a likelihood has none', () => {
  const { model, variables } = built('dcgan', {});
  expect(gradientNorms(model, variables)).toBeUndefined();
});

/** Of the parameters as they are, one for all rows: here there is one. */
function normsOfOne(logProb: OperationSpec, variables: readonly Variable[], inputs: Record<string, Tensor>) {
  const biases = variables.filter(({ name, isBias }) => isBias && !name.startsWith('background'));
  const gradients = tf.grads((...values: Tensor[]) => {
    for (const [index, bias] of biases.entries()) bias.bind(values[index]);
    return tf.sum(logProb.run(inputs).log_prob!);
  })(biases.map(bias => bias.value));
  return { norms: tf.stack(gradients.map(gradient => tf.log1p(tf.sum(tf.square(gradient))))) };
}

function feedsOf({ inputs }: Program): Tensors {
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }, index) => {
      const full = shape.map(extent => (extent === 'batch' ? BATCH : extent));
      return [name, dtype === 'int32' ? integers(full, 0, 3, index) : floats(full, index, 0, 1)];
    }),
  );
}

function rowOf(feeds: Tensors, row: number): Tensors {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => {
      const size = tensor.data.length / BATCH;
      const data = tensor.data.slice(row * size, (row + 1) * size);
      // slice keeps the kind of array
      return [name, { ...tensor, shape: [1, ...tensor.shape.slice(1)], data } as typeof tensor];
    }),
  );
}
