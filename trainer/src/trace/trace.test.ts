// What a recording refuses, and how it says so.
import { describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import type { Program } from '../engine/program.js';
import { Scope } from '../nn/variable.js';
import { exportOperations } from './operations.js';
import { named } from './scope.js';
import { tf } from './tensorflow.js';
import { trace } from './trace.js';

const program = (run: (x: tf.Tensor) => tf.Tensor): Program => ({
  name: 'probe',
  inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 3] }],
  state: [],
  run: inputs => ({ y: run(inputs.x!) }),
});

const exported = (run: (x: tf.Tensor) => tf.Tensor) => () => exportOperations([program(run)], new Map());

describe('a recording refuses', () => {
  test('to read numbers back', () => {
    expect(() =>
      trace(
        program(x => tf.mul(x, x.dataSync()[0]!)),
        2,
      ),
    ).toThrow(/read back.*while recording/);
  });

  test.each([
    ['randomNormal', () => tf.randomNormal([3])],
    ['randomUniform', () => tf.randomUniform([3])],
    ['truncatedNormal', () => tf.truncatedNormal([3])],
    ['randomUniform', (x: tf.Tensor) => tf.dropout(x, 0.5)],
  ])('tf.%s', (name, draw) => {
    expect(() =>
      trace(
        program(x => tf.add(x, draw(x))),
        2,
      ),
    ).toThrow(`tf.${name} was called while recording`);
  });

  test('a random number drawn outside tfjs, in steps and in operations', async () => {
    const frozen = program(x => tf.mul(x, tf.tensor([Math.random(), Math.random(), Math.random()])));
    await expect(compiledEngine().compile(frozen, 2)).rejects.toThrow(/randomness must be fed as noise/);
    expect(() => exportOperations([frozen], new Map())).toThrow(/randomness must be fed as noise/);
  });

  test('a number that depends on the batch size', () => {
    expect(exported(x => tf.div(x, x.shape[0]!))).toThrow(/no number may depend on the batch size/);
  });

  test('a course that depends on the batch size', () => {
    expect(exported(x => (x.shape[0] === 5 ? tf.exp(x) : tf.log(x)))).toThrow(/takes another course/);
  });

  test('a shape that is no linear function of the batch', () => {
    const pairs = (x: tf.Tensor) => tf.reshape(tf.matMul(x as tf.Tensor2D, x as tf.Tensor2D, false, true), [-1]);
    expect(exported(x => tf.sum(tf.softmax(pairs(x))))).toThrow(/not a linear function of the batch/);
  });

  test('an output without the batch', () => {
    expect(exported(x => tf.mean(x))).toThrow(/output 'y' of operation 'probe' .* dimension 0 must be the batch/);
  });

  test('a constant that grows with the batch unless it repeats one number', () => {
    const rising = (x: tf.Tensor) =>
      tf.tensor(
        Float32Array.from({ length: x.size }, (_, i) => i),
        x.shape,
      );
    expect(exported(x => tf.add(x, rising(x)))).toThrow(/only constants of one repeated number may grow/);
    expect(exported(x => tf.add(x, tf.ones(x.shape)))).not.toThrow();
  });

  test('an operation that changes state', () => {
    const variable = new Scope().statistic('mean', [3], () => new Float32Array(3));
    const assigning: Program = {
      ...program(x => {
        variable.assign(tf.mean(x, 0));
        return x;
      }),
      state: [variable],
    };
    const state = new Map([['mean', new Float32Array(3)]]);
    expect(() => exportOperations([assigning], state)).toThrow(/assigns variable 'mean'/);
  });

  test('a kernel without a mapping, naming it, the module and the line', () => {
    const attempt = () =>
      trace(
        program(x => named('head', () => tf.real(tf.complex(x, x)))),
        2,
      );
    expect(attempt).toThrow(/no mapping for the tfjs kernel Complex.*'probe'.*module 'head'.*trace\.test\.ts/);
  });
});

test('a recording leaves the current backend as it was', () => {
  const before = tf.getBackend();
  expect(() =>
    trace(
      program(x => tf.mul(x, x.dataSync()[0]!)),
      2,
    ),
  ).toThrow();
  expect(tf.getBackend()).toBe(before);
  expect(tf.add(1, 1).dataSync()[0]).toBe(2);
});

test('tensors made before the recording are constants of it', () => {
  const weights = tf.tensor([1, 2, 3]);
  const graph = trace(
    program(x => tf.mul(x, weights)),
    2,
  );
  expect(graph.nodes.map(node => node.operator)).toEqual(['Mul']);
  expect(Array.from(graph.nodes[0]!.inputs[1]!.data as Float32Array)).toEqual([1, 2, 3]);
});

test('nodes carry the module that recorded them', () => {
  const graph = trace(
    program(x => named('encoder', () => named('dense1', () => tf.exp(x)))),
    2,
  );
  expect(graph.nodes.map(node => node.path)).toEqual(['encoder/dense1']);
});
