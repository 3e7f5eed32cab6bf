// Both engines run the same programs: a training step, and gradients of gradients.
import type { Tensors } from '@genserve/runtime';
import { describe, expect, test } from 'vitest';
import { Scope } from '../nn/variable.js';
import { floats, relativeDifference, worst } from '../testing/agreement.js';
import { tf } from '../trace/tensorflow.js';
import { compiledEngine } from './compiled.js';
import { eagerEngine } from './eager.js';
import type { Program, State } from './program.js';

/** A convolution and a dense layer, trained by gradient descent with momentum. */
function classifier() {
  const scope = new Scope();
  const filter = scope.parameter('filter', [3, 3, 2, 4], () => new Float32Array());
  const bias = scope.parameter('bias', [4], () => new Float32Array());
  const weights = scope.parameter('weights', [3 * 3 * 4, 1], () => new Float32Array());
  const trained = [filter, bias, weights];
  const momenta = trained.map(({ name, shape }) =>
    scope.statistic(`${name}/momentum`, shape, () => new Float32Array()),
  );
  const state: State = new Map(
    scope.variables().map(({ name, shape }, seed) => [name, floats(shape, seed, -0.5, 0.5).data as Float32Array]),
  );
  const program: Program = {
    name: 'step',
    inputs: [
      { name: 'x', dtype: 'float32', shape: ['batch', 6, 6, 2] },
      { name: 'rate', dtype: 'float32', shape: [] },
    ],
    state: scope.variables(),
    run: inputs => {
      const loss = (f: tf.Tensor, b: tf.Tensor, w: tf.Tensor) => {
        const hidden = tf.relu(tf.add(tf.conv2d(inputs.x as tf.Tensor4D, f as tf.Tensor4D, 2, 'same'), b));
        const logits = tf.matMul(tf.reshape(hidden, [-1, 3 * 3 * 4]) as tf.Tensor2D, w as tf.Tensor2D);
        return tf.mean(tf.softplus(tf.neg(logits)));
      };
      // valueAndGrads passes as many tensors as it is given, three here
      const { value, grads } = tf.valueAndGrads((...all) => loss(all[0]!, all[1]!, all[2]!) as tf.Scalar)(
        trained.map(variable => variable.value),
      );
      for (const [index, variable] of trained.entries()) {
        momenta[index]!.assign(tf.add(tf.mul(momenta[index]!.value, 0.9), grads[index]!));
        variable.assign(tf.sub(variable.value, tf.mul(inputs.rate!, momenta[index]!.value)));
      }
      return { loss: value };
    },
  };
  return { program, state };
}

const feeds = (batch: number): Tensors => ({
  x: floats([batch, 6, 6, 2], 42),
  rate: { dtype: 'float32', shape: [], data: Float32Array.of(0.1) },
});

test('three compiled training steps equal three eager ones', async () => {
  const { program, state } = classifier();
  const [eager, compiled] = [new Map(state), new Map(state)];
  const [first, second] = [await eagerEngine().compile(program, 4), await compiledEngine().compile(program, 4)];
  for (let step = 0; step < 3; step++) {
    const { relative } = worst(await first.run(feeds(4), eager), await second.run(feeds(4), compiled));
    expect(relative).toBeLessThan(1e-5);
  }
  await second.close();
  for (const [name, values] of eager) {
    const tensor = (data: Float32Array) => ({
      dtype: 'float32' as const,
      shape: [data.length],
      data: Float32Array.from(data),
    });
    expect(relativeDifference(tensor(values), tensor(compiled.get(name)!)), name).toBeLessThan(1e-5);
    expect(values, `${name} was trained`).not.toEqual(state.get(name));
  }
});

test('a step repeated from the same state gives the same bits', async () => {
  const { program, state } = classifier();
  const executable = await compiledEngine().compile(program, 4);
  const [one, two] = [new Map(state), new Map(state)];
  await executable.run(feeds(4), one);
  await executable.run(feeds(4), two);
  await executable.close();
  expect(one).toEqual(two);
});

describe.each([
  ['eager', () => eagerEngine()],
  ['compiled', () => compiledEngine({ threads: 1 })],
])('the %s engine', (_, engine) => {
  test('names the feed that is missing, surplus, or of the wrong shape or type', async () => {
    const { program, state } = classifier();
    const executable = await engine().compile(program, 4);
    const { x, rate } = feeds(4);
    await expect(executable.run({ x: x! }, state)).rejects.toThrow(/^rate: missing/);
    await expect(executable.run({ x: x!, rate: rate!, extra: rate! }, state)).rejects.toThrow(
      /^extra: is not an input/,
    );
    await expect(executable.run(feeds(3), state)).rejects.toThrow(/^x: has shape \[3,6,6,2\].*takes \[4,6,6,2\]/);
    const wrong = { dtype: 'int32' as const, shape: [], data: Int32Array.of(1) };
    await expect(executable.run({ x: x!, rate: wrong }, state)).rejects.toThrow(/^rate: is int32/);
    await executable.close();
  });

  test('names the variable that its state lacks', async () => {
    const { program, state } = classifier();
    const executable = await engine().compile(program, 4);
    state.delete('bias');
    await expect(executable.run(feeds(4), state)).rejects.toThrow(/'bias'/);
    await executable.close();
  });

  test('reads a variable that was assigned before in the same run as its new value', async () => {
    const variable = new Scope().statistic('count', [], () => new Float32Array(1));
    const program: Program = {
      name: 'count',
      inputs: [{ name: 'x', dtype: 'float32', shape: ['batch'] }],
      state: [variable],
      run: ({ x }) => {
        variable.assign(tf.add(variable.value, tf.sum(x!)));
        variable.assign(tf.mul(variable.value, 2));
        return { doubled: variable.value };
      },
    };
    const state: State = new Map([['count', Float32Array.of(1)]]);
    const executable = await engine().compile(program, 2);
    const outputs = await executable.run({ x: { dtype: 'float32', shape: [2], data: Float32Array.of(2, 3) } }, state);
    await executable.close();
    expect(outputs.doubled!.data[0]).toBe(12);
    expect(state.get('count')).toEqual(Float32Array.of(12));
  });
});

/** WGAN-GP's penalty (Gulrajani et al. 2017, eq. 3) of a critic of two convolutions. */
function penaltyProgram() {
  const shapes = { first: [3, 3, 1, 3], second: [3, 3, 3, 4], last: [2 * 2 * 4, 1] };
  const names = Object.keys(shapes) as (keyof typeof shapes)[];
  const rectify = (x: tf.Tensor) => tf.sub(tf.relu(x), tf.mul(0.2, tf.relu(tf.neg(x))));
  const critic = (x: tf.Tensor, [first, second, last]: tf.Tensor[]) => {
    const hidden = rectify(tf.conv2d(x as tf.Tensor4D, first as tf.Tensor4D, 2, 'same'));
    const deeper = rectify(tf.conv2d(hidden as tf.Tensor4D, second as tf.Tensor4D, 2, 'same'));
    return tf.matMul(tf.reshape(deeper, [-1, 2 * 2 * 4]) as tf.Tensor2D, last as tf.Tensor2D);
  };
  const penalty = (x: tf.Tensor, parameters: tf.Tensor[]) => {
    const slope = tf.grad(input => tf.sum(critic(input, parameters)))(x);
    const norm = tf.sqrt(tf.add(tf.sum(tf.square(slope), [1, 2, 3]), 1e-12));
    return tf.mean(tf.square(tf.sub(norm, 1)));
  };
  const scope = new Scope();
  const variables = names.map(name => scope.parameter(name, shapes[name], () => new Float32Array()));
  const program: Program = {
    name: 'penalty',
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 8, 8, 1] }],
    state: variables,
    run: ({ x }) => {
      const { value, grads } = tf.valueAndGrads((...parameters) => penalty(x!, parameters) as tf.Scalar)(
        variables.map(variable => variable.value),
      );
      return { penalty: value, ...Object.fromEntries(names.map((name, index) => [name, grads[index]!])) };
    },
  };
  const state: State = new Map(
    names.map((name, seed) => [name, floats(shapes[name], seed + 3, -0.6, 0.6).data as Float32Array]),
  );
  return { program, state, names };
}

test('the gradient of a gradient penalty agrees with finite differences', async () => {
  const { program, state, names } = penaltyProgram();
  const x = { x: floats([3, 8, 8, 1], 8) };
  const executable = await compiledEngine({ threads: 1 }).compile(program, 3);
  const outputs = await executable.run(x, state);
  const eager = await (await eagerEngine().compile(program, 3)).run(x, state);
  expect(worst(eager, outputs).relative).toBeLessThan(1e-4);
  const at = async (name: string, index: number, value: number) => {
    const moved = new Map(state);
    moved.set(name, state.get(name)!.with(index, value));
    return (await executable.run(x, moved)).penalty!.data[0]!;
  };
  for (const name of names) {
    for (const index of [0, 5, 11]) {
      const value = state.get(name)![index]!;
      const step = 1e-3;
      const slope = ((await at(name, index, value + step)) - (await at(name, index, value - step))) / (2 * step);
      expect(outputs[name]!.data[index]!, `${name}[${index}]`).toBeCloseTo(slope, 2);
    }
  }
  await executable.close();
});
