// Exported operations: any batch size, one weights file, clean graphs.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from '@genserve/proto/wire';
import type { Tensor, Tensors } from '@genserve/runtime';
import { describe, expect, test } from 'vitest';
import { eagerEngine } from '../engine/eager.js';
import type { Program, State } from '../engine/program.js';
import { createSession } from '../engine/session.js';
import { EXTERNAL_BYTES, WEIGHTS_FILE } from '../graph/write.js';
import { Scope } from '../nn/variable.js';
import { floats, integers, worst } from '../testing/agreement.js';
import { exportOperations } from './operations.js';
import { named } from './scope.js';
import { tf } from './tensorflow.js';

/** A little of everything that families do: convolutions, a label, noise, reductions over and along the batch. */
function model() {
  const scope = new Scope();
  const state: State = new Map();
  const parameter = (name: string, shape: number[], seed: number) => {
    const variable = scope.parameter(name, shape, () => new Float32Array());
    state.set(name, floats(shape, seed, -0.3, 0.3).data as Float32Array);
    return variable;
  };
  const filter = parameter('encoder/conv/filter', [3, 3, 1, 12], 1);
  const bias = parameter('encoder/conv/bias', [12], 2);
  const project = parameter('encoder/dense/weights', [4 * 4 * 12, 8], 3);
  const spread = parameter('decoder/dense/weights', [8 + 3, 4 * 4 * 12], 4);
  const upsample = parameter('decoder/conv/filter', [3, 3, 12, 12], 5);
  const last = parameter('decoder/last/filter', [3, 3, 1, 12], 6);
  const state4 = (variable: { value: tf.Tensor }) => variable.value as tf.Tensor4D;

  const encode = (x: tf.Tensor) => {
    const features = named('conv', () =>
      tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, state4(filter), 2, 'same'), bias.value)),
    );
    return named('dense', () =>
      tf.matMul(tf.reshape(features, [-1, 4 * 4 * 12]) as tf.Tensor2D, project.value as tf.Tensor2D),
    );
  };
  const decode = (z: tf.Tensor, label: tf.Tensor) => {
    const [batch] = z.shape as [number];
    const joined = tf.concat([z, tf.cast(tf.oneHot(label, 3), 'float32')], 1);
    const wide = tf.relu(tf.reshape(tf.matMul(joined as tf.Tensor2D, spread.value as tf.Tensor2D), [batch, 4, 4, 12]));
    const up = tf.relu(tf.conv2dTranspose(wide as tf.Tensor4D, state4(upsample), [batch, 8, 8, 12], 2, 'same'));
    return tf.sigmoid(tf.conv2dTranspose(up, state4(last), [batch, 8, 8, 1], 1, 'same'));
  };
  const image = { name: 'x', dtype: 'float32', shape: ['batch', 8, 8, 1] } as const;
  const code = { name: 'z', dtype: 'float32', shape: ['batch', 8] } as const;
  const label = { name: 'label', dtype: 'int32', shape: ['batch'] } as const;
  const operations: Program[] = [
    {
      name: 'encode',
      inputs: [image],
      state: scope.variables(),
      run: inputs => ({ z: named('encoder', () => encode(inputs.x!)) }),
    },
    {
      name: 'decode',
      inputs: [code, label],
      state: scope.variables(),
      run: inputs => ({ x: named('decoder', () => decode(inputs.z!, inputs.label!)) }),
    },
    {
      name: 'log_prob',
      inputs: [image, { ...code, name: 'epsilon' }, label],
      state: scope.variables(),
      run: inputs => {
        const mean = encode(inputs.x!);
        const drawn = tf.add(mean, inputs.epsilon!);
        const known = tf.tile(tf.reshape(tf.tensor([0.1, 0.9]), [1, 1, 1, 2]), [inputs.x!.shape[0]!, 8, 8, 1]);
        const error = tf.squaredDifference(inputs.x!, decode(drawn, inputs.label!));
        const rows = tf.sum(tf.mul(error, tf.mean(known, 3, true)), [1, 2, 3]);
        const centred = tf.sub(rows, tf.zeros([inputs.x!.shape[0]!]));
        return { log_prob: tf.neg(tf.add(centred, tf.mul(0.5, tf.sum(tf.square(drawn), 1)))) };
      },
    },
  ];
  return { operations, state };
}

function feedsFor(program: Program, batch: number): Tensors {
  return Object.fromEntries(
    program.inputs.map(({ name, dtype, shape }, index): [string, Tensor] => {
      const sizes = shape.map(extent => (extent === 'batch' ? batch : extent));
      return [name, dtype === 'int32' ? integers(sizes, 0, 3, index) : floats(sizes, 10 + index)];
    }),
  );
}

const { operations, state } = model();
const graphs = exportOperations(operations, state);
const decoded = new Map(
  graphs.operations.map(({ name, model: bytes }) => [name, onnx.ModelProto.decode(bytes).graph!]),
);

describe.each(operations.map(operation => operation.name))('operation %s', name => {
  const program = operations.find(operation => operation.name === name)!;
  const { model: bytes } = graphs.operations.find(operation => operation.name === name)!;

  test('equals the eager result at batch 1, 2 and 64', async () => {
    const session = await createSession(bytes, { weights: graphs.weights, threads: 1 });
    for (const batch of [1, 2, 64]) {
      const feeds = feedsFor(program, batch);
      const eager = await (await eagerEngine().compile(program, batch)).run(feeds, state);
      const { output, relative } = worst(eager, await session.run(feeds));
      expect(relative, `${output} at batch ${batch}`).toBeLessThan(1e-5);
    }
    await session.close();
  });

  test('gives each row the same bits whatever it is batched with', async () => {
    const session = await createSession(bytes, { weights: graphs.weights, threads: 1 });
    const all = feedsFor(program, 16);
    const rows = (feeds: Tensors, count: number): Tensors =>
      Object.fromEntries(
        Object.entries(feeds).map(([key, { dtype, shape, data }]) => [
          key,
          { dtype, shape: [count, ...shape.slice(1)], data: data.slice(0, (data.length / shape[0]!) * count) },
        ]),
      );
    const whole = await session.run(all);
    expect(rows(whole, 3)).toEqual(await session.run(rows(all, 3)));
    await session.close();
  });

  test('transposes no weights: they are stored as used', () => {
    const graph = decoded.get(name)!;
    const stored = new Set(graph.initializer.map(tensor => tensor.name));
    expect(graph.node.filter(node => node.opType === 'Transpose' && stored.has(node.input[0]))).toEqual([]);
  });
});

test('weights of 1 kB and more lie in one file, aligned, once, under the names of the variables', () => {
  const places = new Map<string, string>();
  for (const graph of decoded.values()) {
    for (const tensor of graph.initializer) {
      const entries = Object.fromEntries(tensor.externalData.map(({ key, value }) => [key!, value!]));
      if (!entries.location) {
        expect(tensor.rawData!.length).toBeLessThan(EXTERNAL_BYTES);
        continue;
      }
      expect(entries.location).toBe(WEIGHTS_FILE);
      expect(Number(entries.offset) % 4096).toBe(0);
      expect(Number(entries.offset) + Number(entries.length)).toBeLessThanOrEqual(graphs.weights.length);
      const place = `${entries.offset}+${entries.length}`;
      expect(places.get(tensor.name!) ?? place, tensor.name).toBe(place);
      places.set(tensor.name!, place);
    }
  }
  expect([...places.keys()].sort()).toEqual(['decoder/conv/filter', 'decoder/dense/weights', 'encoder/dense/weights']);
  expect(new Set(places.values()).size).toBe(places.size);
});

test('nodes are named by the modules that they belong to', () => {
  const names = decoded.get('encode')!.node.map(node => node.name);
  expect(names).toContain('encoder/conv/Conv');
  expect(names).toContain('encoder/dense/Gemm');
  expect(names.filter(name => !name!.startsWith('encoder/'))).toEqual([]);
});

test('costs are counted from the graph, per sample', () => {
  const { cost } = graphs.operations.find(operation => operation.name === 'encode')!;
  expect(cost.parameters).toBe(3 * 3 * 12 + 12 + 4 * 4 * 12 * 8);
  expect(cost.macs).toBe(4 * 4 * 12 * 9 + 4 * 4 * 12 * 8);
});

const python = '/usr/bin/python3';
const checker = existsSync(python) && existsSync('/usr/lib/python3/dist-packages/onnx');

test.skipIf(!checker)("ONNX's own checker accepts the graphs", () => {
  const folder = mkdtempSync(join(tmpdir(), 'genserve-operations-'));
  try {
    writeFileSync(join(folder, WEIGHTS_FILE), graphs.weights);
    const files = graphs.operations.map(({ name, model: bytes }) => {
      const file = join(folder, `${name}.onnx`);
      writeFileSync(file, bytes);
      return file;
    });
    const script = 'import sys, onnx\nfor file in sys.argv[1:]: onnx.checker.check_model(file, full_check=True)';
    execFileSync(python, ['-c', script, ...files]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
