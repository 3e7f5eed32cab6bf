import type { Tensors } from '@genserve/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import { floats, integers } from '../testing/agreement.js';
import { onBackend, tf } from '../trace/tensorflow.js';
import { initialState } from '../train/initial-state.js';
import { stopGradient, straightThrough } from './stop-gradient.js';
import { Scope } from './variable.js';
import { perplexity, vectorQuantiser } from './vector-quantiser.js';

const CODES = 5;
const DIMENSIONS = 2;
const DECAY = 0.9;
const VECTORS = 12;

let scope: Scope;
let quantiser: ReturnType<typeof vectorQuantiser>;
let state: State;
beforeEach(() => {
  scope = new Scope();
  quantiser = vectorQuantiser(scope, { codes: CODES, dimensions: DIMENSIONS, decay: DECAY });
  state = initialState(scope.variables(), 1);
});

/** One run with the codebook at `state`, which it may change. */
async function run(
  body: (fed: Record<string, tf.Tensor>) => Record<string, tf.Tensor>,
  given: Tensors,
  engine = eagerEngine(),
) {
  const inputs = Object.entries(given).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const executable = await engine.compile({ name: 'test', inputs, state: scope.variables(), run: body }, VECTORS);
  const outputs = await executable.run(given, state);
  await executable.close();
  return outputs;
}

function embeddings(): number[][] {
  const [count, sum] = [state.get('count')!, state.get('sum')!];
  return Array.from(count, (n, code) => [sum[2 * code]! / n, sum[2 * code + 1]! / n]);
}

const rowsOf = (data: ArrayLike<number>) =>
  Array.from({ length: data.length / 2 }, (_, i) => [data[2 * i]!, data[2 * i + 1]!]);
const squared = (a: number[], b: number[]) => (a[0]! - b[0]!) ** 2 + (a[1]! - b[1]!) ** 2;

describe('a codebook', () => {
  it('replaces a vector by the nearest embedding', async () => {
    const z = floats([3, 4, DIMENSIONS]);
    const { indices, e } = await run(
      ({ z }) => {
        const indices = quantiser.nearest(z!);
        return { indices, e: quantiser.embed(indices) };
      },
      { z },
    );
    const book = embeddings();
    const expected = rowsOf(z.data).map(row => {
      const distances = book.map(each => squared(each, row));
      return distances.indexOf(Math.min(...distances));
    });
    expect([...indices!.data]).toEqual(expected);
    expect(indices).toMatchObject({ dtype: 'int32', shape: [3, 4] });
    expect(rowsOf(e!.data).flat()).toEqual(expected.flatMap(code => book[code]!.map(Math.fround)));
  });

  it.each([
    ['eager', eagerEngine()],
    ['compiled', compiledEngine({ threads: 1 })],
  ] as const)(
    'follows the vectors by the averages of appendix A.1, and starts dead embeddings anew: %s',
    async (_, engine) => {
      let count = [...state.get('count')!];
      let sum = rowsOf(state.get('sum')!);
      const restarted: number[] = [];
      for (let step = 0; step < 3; step++) {
        const z = floats([VECTORS, DIMENSIONS], 10 + step);
        // Code 4 is never chosen; the others are, again and again.
        const indices = integers([VECTORS], 0, CODES - 1, 20 + step);
        const choice = floats([VECTORS], 30 + step, 0, 1);
        await run(
          ({ z, indices, choice }) => {
            quantiser.follow(z!, indices!, choice!);
            return { done: tf.scalar(0) };
          },
          { z, indices, choice },
          engine,
        );
        const vectors = rowsOf(z.data);
        const order = [...choice.data.keys()].sort((a, b) => choice.data[b]! - choice.data[a]!);
        count = count.map((n, code) => DECAY * n + (1 - DECAY) * indices.data.filter(index => index === code).length);
        sum = sum.map((m, code) =>
          m.map((value, d) => {
            const own = vectors.filter((_, row) => indices.data[row] === code);
            return DECAY * value + (1 - DECAY) * own.reduce((total, row) => total + row[d]!, 0);
          }),
        );
        for (const [code, n] of count.entries()) {
          if (n >= 1) continue;
          restarted.push(code);
          count[code] = 1;
          sum[code] = vectors[order[code]!]!;
        }
        for (const [code, n] of count.entries()) {
          expect(state.get('count')![code]).toBeCloseTo(n, 5);
          for (const d of [0, 1]) expect(state.get('sum')![2 * code + d]).toBeCloseTo(sum[code]![d]!, 5);
        }
      }
      expect(restarted).toContain(4);
      expect(new Set(restarted).size).toBeLessThan(CODES);
    },
  );

  it('starts as vectors of the first batch, in turn where there are few', async () => {
    const z = floats([3, DIMENSIONS]);
    await run(
      ({ z, choice }) => {
        quantiser.restart(z!, choice!);
        return { done: tf.scalar(0) };
      },
      { z, choice: floats([3], 4, 0, 1) },
    );
    const known = new Set(rowsOf(z.data).map(String));
    const book = embeddings().map(String);
    expect(book.every(each => known.has(each))).toBe(true);
    expect(new Set(book.slice(0, 3)).size).toBe(3);
  });
});

describe('gradients', () => {
  it('reach what was quantised as if it had not been: straight through', () => {
    onBackend('cpu', () => {
      const [z, e] = [tf.tensor1d([0.3, -1]), tf.tensor1d([0.5, -2])];
      const loss = (x: tf.Tensor) => tf.sum(tf.pow(x, 3)) as tf.Scalar; // a sum of all
      const slope = tf.grad(x => loss(straightThrough(x, e)))(z);
      // 3 e^2: of the loss at the embedding.
      expect([...slope.dataSync()]).toEqual([0.75, 12]);
      expect(loss(straightThrough(z, e)).dataSync()[0]).toBe(0.125 - 8);
    });
  });

  it('of the commitment pull the vector to the embedding, which they leave alone', () => {
    onBackend('cpu', () => {
      for (const variable of scope.variables())
        variable.bind(tf.tensor(state.get(variable.name)!, [...variable.shape]));
      const z = tf.tensor2d([
        [0.3, -1],
        [2, 0.1],
      ]); // prettier-ignore
      const nearest = (x: tf.Tensor) => quantiser.embed(quantiser.nearest(x));
      const commitment = (x: tf.Tensor) => tf.sum(tf.square(tf.sub(x, stopGradient(x, nearest)))) as tf.Scalar; // as above
      const slope = tf.grad(commitment)(z).dataSync();
      const [vectors, e] = [z.dataSync(), nearest(z).dataSync()];
      for (const [i, value] of slope.entries()) expect(value).toBeCloseTo(2 * (vectors[i]! - e[i]!), 5);
    });
  });
});

describe('perplexity', () => {
  it.each([
    ['one code', [3, 3, 3], 1],
    ['four codes as often as each other', [0, 1, 2, 3, 3, 2, 1, 0], 4],
    ['shares of 1/2, 1/4 and 1/4', [0, 0, 1, 2], 2 ** 1.5],
  ])('of %s', (_, indices, expected) => {
    onBackend('cpu', () => {
      expect(perplexity(tf.tensor1d(indices, 'int32'), 8).dataSync()[0]).toBeCloseTo(expected, 5);
    });
  });
});
