// What the passes do to graphs. That they change no result is tested with every kernel and every exported operation.
import { describe, expect, test } from 'vitest';
import type { Program } from '../engine/program.js';
import { elu, leakyRelu } from '../nn/activations.js';
import { Scope } from '../nn/variable.js';
import { floats } from '../testing/agreement.js';
import { tf } from '../trace/tensorflow.js';
import { trace } from '../trace/trace.js';
import { GraphBuilder } from './builder.js';
import { optimise } from './optimise.js';
import type { Graph } from './types.js';

const operators = (graph: Graph) => graph.nodes.map(node => node.operator);

/** The optimised graph of a program over images, with weights [3, 3, 4, 4] and bias [4] frozen. */
function exported(run: (x: tf.Tensor4D, filter: tf.Tensor4D, bias: tf.Tensor1D) => tf.Tensor): Graph {
  const scope = new Scope();
  const filter = scope.parameter('filter', [3, 3, 4, 4], () => new Float32Array());
  const bias = scope.parameter('bias', [4], () => new Float32Array());
  const program: Program = {
    name: 'probe',
    inputs: [{ name: 'x', dtype: 'float32', shape: ['batch', 8, 8, 4] }],
    state: scope.variables(),
    run: ({ x }) => ({ y: run(x as tf.Tensor4D, filter.value as tf.Tensor4D, bias.value as tf.Tensor1D) }),
  };
  const parameters = new Map(
    scope.variables().map(({ name, shape }, seed) => [name, floats(shape, seed).data as Float32Array]),
  );
  return optimise(trace(program, 5, { parameters }));
}

describe('transposes', () => {
  test('remain at the ends of a stack of convolutions only', () => {
    const graph = exported((x, filter, bias) => {
      let y: tf.Tensor4D = x;
      for (let layer = 0; layer < 4; layer++) y = tf.relu(tf.add(tf.conv2d(y, filter, 1, 'same'), bias));
      return y;
    });
    expect(operators(graph)).toEqual(['Transpose', ...Array(4).fill(['Conv', 'Relu']).flat(), 'Transpose']);
  });

  test('pass through padding, cropping, joining and reducing', () => {
    const graph = exported((x, filter) => {
      const y = tf.conv2d(x, filter, 1, 'same');
      const joined = tf.concat(
        [
          tf.pad(y, [
            [0, 0],
            [0, 1],
            [0, 1],
            [0, 0],
          ]),
          tf.pad(y, [
            [0, 0],
            [1, 0],
            [1, 0],
            [0, 0],
          ]),
        ],
        3,
      );
      return tf.mean(tf.slice(joined, [0, 1, 1, 0], [-1, 7, 7, -1]), [1, 2]);
    });
    expect(operators(graph)).toEqual(['Transpose', 'Conv', 'Pad', 'Pad', 'Concat', 'Slice', 'ReduceMean']);
  });

  test('of images with one channel are reshapes', () => {
    const builder = new GraphBuilder();
    const x = builder.input('x', 'float32', [5, 8, 8, 1]);
    expect(builder.transpose(x, [0, 3, 1, 2]).node?.operator).toBe('Reshape');
  });
});

describe('constants', () => {
  test('are computed ahead and keep the name of their variable', () => {
    const graph = exported((x, filter) => tf.conv2d(x, tf.mul(filter, 0.5), 1, 'same'));
    const weights = graph.nodes.find(node => node.operator === 'Conv')!.inputs[1]!;
    expect(weights).toMatchObject({ name: 'filter', shape: [4, 4, 3, 3] });
    const given = floats([3, 3, 4, 4], 0).data;
    // [height 1, width 2, in 3, out 0] of the filter
    expect(weights.data![((0 * 4 + 3) * 3 + 1) * 3 + 2]).toBeCloseTo(0.5 * given[((1 * 3 + 2) * 4 + 3) * 4]!, 6);
  });

  test('of one repeated number are broadcast, not stored', () => {
    const graph = exported(x => tf.add(tf.mul(x, tf.ones(x.shape)), tf.fill(x.shape, 3)));
    expect(operators(graph)).toEqual(['Add']);
    expect(graph.nodes[0]!.inputs[1]!.shape).toEqual([]);
  });
});

test('what is computed twice is computed once, and what nobody reads not at all', () => {
  const graph = exported((x, _, bias) => {
    tf.exp(tf.add(x, 1));
    return tf.mul(tf.sqrt(tf.add(x, bias)), tf.sqrt(tf.add(x, bias)));
  });
  expect(operators(graph)).toEqual(['Add', 'Sqrt', 'Mul']);
});

test('biases join convolutions, transposed ones and products', () => {
  const graph = exported((x, filter, bias) => {
    const y = tf.add(tf.conv2dTranspose(x, filter, [x.shape[0], 16, 16, 4], 2, 'same'), bias);
    return tf.add(
      tf.matMul(tf.reshape(y, [-1, 4]) as tf.Tensor2D, tf.reshape(filter, [-1, 4]).slice(0, 4) as tf.Tensor2D),
      bias,
    );
  });
  const fused = graph.nodes.filter(node => node.inputs.length === 3).map(node => node.operator);
  expect(fused).toEqual(['ConvTranspose', 'Gemm']);
  expect(operators(graph)).not.toContain('Add');
});

test('activations written out for their derivatives become one node', () => {
  expect(operators(exported(x => leakyRelu(x, 0.1)))).toEqual(['LeakyRelu']);
});

test('but not Elu, whose kernel rounds by where its threads part the batch', () => {
  expect(operators(exported(x => elu(x)))).toEqual(['Relu', 'Min', 'Exp', 'Sub', 'Add']);
});

test('equal updates of small parameters are computed together, and only what leads to nothing else', () => {
  const scope = new Scope();
  const variables = [[3], [2, 2], [5]].map((shape, index) =>
    scope.parameter(`parameter${index}`, shape, () => new Float32Array()),
  );
  const program: Program = {
    name: 'step',
    inputs: [{ name: 'rate', dtype: 'float32', shape: [] }],
    state: variables,
    run: ({ rate }) => {
      const squares = variables.map(({ value }) => tf.square(value));
      for (const variable of variables)
        variable.assign(tf.sub(variable.value, tf.mul(rate!, tf.mul(variable.value, 2))));
      return { norm: tf.addN(squares.map(square => tf.sum(square))) };
    },
  };
  const graph = optimise(trace(program, 1), { block: 16 });
  const count = (operator: string) => operators(graph).filter(each => each === operator).length;
  // three squares for the norm, and two products for all updates
  expect([count('Mul'), count('Sub'), count('Concat'), count('Split')]).toEqual([5, 1, 1, 1]);
  expect(graph.outputs.map(({ name, value }) => [name, value.shape])).toEqual([
    ['norm', []],
    ['next/parameter0', [3]],
    ['next/parameter1', [2, 2]],
    ['next/parameter2', [5]],
  ]);
});
