// What must hold for the prior of a VQ-VAE: probabilities of all maps sum to one, no place sees itself or the future, and
// what is drawn place by place follows them.
import { fillNoise, float32, type Tensor } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { categoricalLogProb, drawCategorical } from '../distributions/categorical.js';
import { sumPerRow } from '../distributions/reduce.js';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import { Scope } from '../nn/variable.js';
import { expectFrequencies, uniforms } from '../testing/binary-subject.js';
import { movedState } from '../testing/flows.js';
import { tf } from '../trace/tensorflow.js';
import { codePrior } from './code-prior.js';

const CODES = 3;
const book = [1, 0, -0.5, 1, 0.3, -1];
const settings = { channels: 6, layers: 3, size: 3, firstSize: 3, head: 6, codes: CODES, dimensions: 2, vector: 2 };

function subject(height: number, width: number) {
  const scope = new Scope();
  const prior = codePrior(scope, { ...settings, height, width });
  return { prior, variables: scope.variables(), state: movedState(scope.variables(), 0.3) };
}

const embed = (indices: tf.Tensor) => tf.gather(tf.tensor2d(book, [CODES, 2]), indices);
const condition = (batch: number, value: number) => float32([batch, 2], new Array(2 * batch).fill(value));

/** log p of maps [count, height, width] under one condition. */
async function logProbs(
  height: number,
  width: number,
  maps: Int32Array<ArrayBuffer>,
  h: number,
  perPlace = false,
): Promise<Tensor> {
  const { prior, variables, state } = subject(height, width);
  const count = maps.length / (height * width);
  const inputs = [
    { name: 'maps', dtype: 'int32', shape: ['batch', height, width] },
    { name: 'h', dtype: 'float32', shape: ['batch', 2] },
  ] as const;
  const program = {
    ...{ name: 'test', inputs, state: variables },
    run(fed: Readonly<Record<string, tf.Tensor>>) {
      const each = categoricalLogProb(prior.logits(embed(fed.maps!), fed.h!), fed.maps!);
      return { log_prob: perPlace ? each : sumPerRow(each) };
    },
  };
  const executable = await eagerEngine().compile(program, count);
  const fed = { maps: { dtype: 'int32', shape: [count, height, width], data: maps } as const, h: condition(count, h) };
  return (await executable.run(fed, state)).log_prob!;
}

/** All 81 maps of 2x2 places, the first place changing fastest. */
const allMaps = Int32Array.from({ length: 81 * 4 }, (_, i) => Math.floor(Math.floor(i / 4) / 3 ** (i % 4)) % 3);

describe('the prior over codes', () => {
  it.each([0, 1])('gives all maps of 2x2 places probabilities that sum to one, given h = %i', async h => {
    const probabilities = Array.from((await logProbs(2, 2, allMaps, h)).data, Math.exp);
    expect(probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 5);
    expect(Math.max(...probabilities) / Math.min(...probabilities)).toBeGreaterThan(2);
  });

  it('depends on what it is conditioned on', async () => {
    expect((await logProbs(2, 2, allMaps, 0)).data).not.toEqual((await logProbs(2, 2, allMaps, 1)).data);
  });

  it('shows no place itself or the future, and each all of the past', async () => {
    const [height, width] = [3, 4];
    const n = height * width;
    const map = uniforms(n).map(u => Math.floor(CODES * u));
    // The map, then for each place q the same with another code there.
    const changed = Array.from({ length: n }, (_, q) => map.map((code, i) => (i === q ? (code + 1) % CODES : code)));
    const { data } = await logProbs(height, width, Int32Array.from([map, ...changed].flat()), 1, true);
    for (let q = 0; q < n; q++) {
      for (let i = 0; i < n; i++) {
        const same = data[i] === data[(q + 1) * n + i];
        if (i !== q) expect(same, `place ${i} sees place ${q}`).toBe(i < q);
      }
    }
    // log p of each code at the last place, all else equal: its own logits do not see it.
    const last = [0, 1, 2].flatMap(code => [...map.slice(0, -1), code]);
    const ends = (await logProbs(height, width, Int32Array.from(last), 1, true)).data;
    expect([0, 1, 2].reduce((sum, row) => sum + Math.exp(ends[row * n + n - 1]!), 0)).toBeCloseTo(1, 5);
  });

  it('draws maps as often as it gives them probability, place by place in one graph', async () => {
    const { prior, variables, state } = subject(2, 2);
    const count = 4096;
    const inputs = [
      { name: 'uniform', dtype: 'float32', shape: ['batch', 2, 2, 1] },
      { name: 'h', dtype: 'float32', shape: ['batch', 2] },
    ] as const;
    const program = {
      ...{ name: 'test', inputs, state: variables },
      run: ({ uniform, h }: Readonly<Record<string, tf.Tensor>>) => ({
        drawn: prior.draw(uniform!, h, (logits, u) => embed(drawCategorical(logits, u))),
      }),
    };
    const executable = await compiledEngine({ threads: 1 }).compile(program, count);
    const noise = fillNoise({ seed: 1, name: 'choice', distribution: 'uniform', shape: [2, 2, 1], count });
    const { drawn } = await executable.run(
      { uniform: float32([count, 2, 2, 1], noise), h: condition(count, 1) },
      state,
    );
    await executable.close();
    const codeOf = (e: ArrayLike<number>) => [0, 1, 2].findIndex(code => Math.fround(book[2 * code]!) === e[0]);
    const numbers = Array.from({ length: count }, (_, row) =>
      [0, 1, 2, 3].reduce((sum, place) => {
        const from = 8 * row + 2 * place;
        return sum + 3 ** place * codeOf(drawn!.data.subarray(from, from + 2));
      }, 0),
    );
    expectFrequencies(numbers, Array.from((await logProbs(2, 2, allMaps, 1)).data, Math.exp));
  });
});
