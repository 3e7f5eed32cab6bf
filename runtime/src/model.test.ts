import { afterAll, describe, expect, it } from 'vitest';
import { fixtureFiles, openSession } from '../fixtures/session.mjs';
import { memorySource, openBundle } from './bundle.js';
import { GenserveError } from './errors.js';
import type { Progress } from './generator.js';
import { checkGolden } from './golden.js';
import { BundleGenerator } from './model.js';
import { fillNoise } from './noise.js';
import { transferList } from './protocol.js';
import type { Runner } from './session.js';
import { sessionsRunner } from './sessions.js';
import { float32, type Tensor } from './tensor.js';

const SIZE = 256;
const shape = [16, 16, 1];

/** A fixture bundle on onnxruntime-web's WASM, with at most `rows` rows a step. */
async function open(name: 'tiny' | 'tiny-rows', rows?: number) {
  const bundle = await openBundle(memorySource(fixtureFiles(name)));
  const runner = sessionsRunner({ bundle, openSession, rowsPerStep: rows === undefined ? undefined : () => rows });
  return new BundleGenerator(bundle, runner);
}

const tiny = await open('tiny');
const byThree = await open('tiny', 3);
const rows = await open('tiny-rows');
afterAll(() => Promise.all([tiny, byThree, rows].map(generator => generator.close())));

/** The parameters of the fixture, read from its weights as the manifest's layout says. */
const weights = fixtureFiles('tiny')['weights.bin']!;
const scale = new Float32Array(weights.buffer, weights.byteOffset, SIZE);
const offset = new Float32Array(weights.buffer, weights.byteOffset + 4096, SIZE);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

const row = (tensor: Tensor, index: number) => {
  const size = tensor.data.length / tensor.shape[0]!;
  return tensor.data.slice(index * size, (index + 1) * size);
};
const closeTo = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) => {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    expect(Math.abs(actual[i]! - expected[i]!), `element ${i}`).toBeLessThan(tolerance);
};
/** Binary pictures, from the model itself. */
const binary = async (count: number) => {
  const { data } = await tiny.sample({ count, seed: 99 });
  return float32(
    data.shape,
    Float32Array.from(data.data, value => (value > 0.5 ? 1 : 0)),
  );
};

describe('golden values', () => {
  it.each([
    ['tiny', tiny],
    ['tiny-rows', rows],
  ])('of %s are recomputed', async (_name, generator) => {
    const results = await checkGolden(generator.runner, generator.manifest);
    expect(results.length).toBeGreaterThanOrEqual(generator.manifest.operations.length);
    for (const result of results) expect(result, result.golden.operation).toMatchObject({ passed: true });
  });
});

describe('sample', () => {
  it('is the decoder applied to the noise of the seed', async () => {
    const { data, seed, firstIndex } = await tiny.sample({ seed: 11, count: 2, firstIndex: 5 });
    expect({ shape: data.shape, seed, firstIndex }).toEqual({ shape: [2, ...shape], seed: 11, firstIndex: 5 });
    const z = fillNoise({ seed: 11, name: 'z', distribution: 'normal', shape, firstIndex: 5, count: 2 });
    closeTo(
      data.data,
      z.map((value, i) => sigmoid(value * scale[i % SIZE]! + offset[i % SIZE]!)),
      1e-6,
    );
  });

  it('does not change, bit for bit, with what it is batched with or how it is cut', async () => {
    const sixteen = await tiny.sample({ seed: 4, count: 16 });
    expect((await byThree.sample({ seed: 4, count: 16 })).data).toEqual(sixteen.data);
    const fourth = await tiny.sample({ seed: 4, firstIndex: 3, count: 1 });
    expect(fourth.data.data).toEqual(row(sixteen.data, 3));
  });

  it('streams the same rows in order, with progress', async () => {
    const whole = await tiny.sample({ seed: 4, count: 7 });
    const progress: Progress[] = [];
    const starts: number[] = [];
    for await (const part of byThree.sampleStream({ seed: 4, count: 7, onProgress: event => progress.push(event) })) {
      starts.push(part.firstIndex);
      const from = part.firstIndex * SIZE;
      expect(part.data.data).toEqual(whole.data.data.slice(from, from + part.data.data.length));
    }
    expect(starts).toEqual([0, 3, 6]);
    // Two steps are under way at once: the last, of one row, may end before the one before it.
    expect(progress.map(({ total, unit }) => [total, unit])).toEqual(starts.map(() => [7, 'rows']));
    expect(progress.map(({ done }) => done)).toEqual(progress.map(({ done }) => done).sort((a, b) => a - b));
    expect([progress[0]!.done, progress[2]!.done]).toEqual([3, 7]);
  });

  it('keeps the next step under way while one is handed on, and no more', async () => {
    const { bundle, runner } = byThree;
    let [begun, ended] = [0, 0];
    const counting: Runner = {
      ...runner,
      async run(...arguments_) {
        begun += 1;
        expect(begun - ended).toBeLessThanOrEqual(2);
        const outputs = await runner.run(...arguments_);
        ended += 1;
        return outputs;
      },
    };
    const begunAtPart: number[] = [];
    for await (const _ of new BundleGenerator(bundle, counting).sampleStream({ seed: 4, count: 12 })) {
      await new Promise(resolve => setTimeout(resolve, 50));
      begunAtPart.push(begun);
    }
    expect(begunAtPart).toEqual([2, 3, 4, 4]);
  });

  it('throws the first failure of a call, once, though another step is under way', async () => {
    const { bundle, runner } = byThree;
    let runs = 0;
    const failing: Runner = {
      ...runner,
      run: async () => {
        throw new GenserveError('OVERLOADED', `run ${++runs}`);
      },
    };
    const failed = new BundleGenerator(bundle, failing).sample({ seed: 4, count: 12 });
    await expect(failed).rejects.toThrow('run 1');
  });

  it('draws one row and a seed where nothing is asked for, and tells the seed', async () => {
    const first = await tiny.sample();
    const again = await tiny.sample({ seed: first.seed });
    expect(first.data.shape).toEqual([1, ...shape]);
    expect(again.data).toEqual(first.data);
    expect((await tiny.sample()).seed).not.toBe(first.seed);
  });

  it('scales the noise by the temperature', async () => {
    const cold = await tiny.sample({ seed: 1, temperature: 1e-6 });
    closeTo(cold.data.data, offset.map(sigmoid), 1e-4);
  });
});

describe('latent codes', () => {
  it('encode and decode agree with the formulas', async () => {
    const data = await binary(2);
    const { z } = await tiny.encode(data, { seed: 3 });
    const epsilon = fillNoise({ seed: 3, name: 'epsilon', distribution: 'normal', shape, count: 2 });
    const expected = epsilon.map((value, i) => 0.4 * (2 * data.data[i]! - 1) + 0.9 * value);
    closeTo(z!.data, expected, 1e-6);
    const decoded = await tiny.decode({ z: z! });
    closeTo(
      decoded.data.data,
      expected.map((value, i) => sigmoid(value * scale[i % SIZE]! + offset[i % SIZE]!)),
      1e-6,
    );
  });

  it('encodes the same data to the same codes when no seed is given', async () => {
    const data = await binary(1);
    expect(await tiny.encode(data)).toEqual(await tiny.encode(data));
  });

  it('reconstructs through the mean', async () => {
    const data = await binary(3);
    const { data: back } = await byThree.reconstruct(data);
    closeTo(
      back.data,
      data.data.map((x, i) => sigmoid(0.4 * (2 * x - 1) * scale[i % SIZE]! + offset[i % SIZE]!)),
      1e-6,
    );
  });

  it('interpolates on the sphere, both ends included', async () => {
    const codes = (seed: number) => ({
      z: float32([1, ...shape], fillNoise({ seed, name: 'z', distribution: 'normal', shape })),
    });
    const [from, to] = [codes(1), codes(2)];
    const path = await byThree.interpolate(from, to, { steps: 5 });
    expect(path.data.shape).toEqual([5, ...shape]);
    closeTo(row(path.data, 0), (await tiny.decode(from)).data.data, 1e-6);
    closeTo(row(path.data, 4), (await tiny.decode(to)).data.data, 1e-6);
    // Halfway on a great circle: (a + b) / (2 cos(angle / 2)).
    const [a, b] = [from.z.data, to.z.data];
    const dot = (u: ArrayLike<number>, v: ArrayLike<number>) => Array.from(u).reduce((sum, x, i) => sum + x * v[i]!, 0);
    const angle = Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
    const middle = Float32Array.from(a, (x, i) => (x + b[i]!) / (2 * Math.cos(angle / 2)));
    closeTo(
      row(path.data, 2),
      middle.map((z, i) => sigmoid(z * scale[i]! + offset[i]!)),
      1e-5,
    );
  });
});

describe('logLikelihood', () => {
  /** log p(x) of the fixture: pixels are independent, each an integral over its own normal latent (trapezoid rule). */
  const exact = (x: ArrayLike<number>) => {
    let total = 0;
    for (let i = 0; i < SIZE; i++) {
      let on = 0;
      for (let z = -8; z <= 8; z += 0.01)
        on += (sigmoid(z * scale[i]! + offset[i]!) * Math.exp((-z * z) / 2) * 0.01) / Math.sqrt(2 * Math.PI);
      total += Math.log(x[i] === 1 ? on : 1 - on);
    }
    return total;
  };

  it('is a bound that importance samples tighten towards log p(x)', async () => {
    const data = await binary(1);
    const truth = exact(data.data);
    const bounds = [];
    for (const [estimator, draws] of [
      ['elbo', 400],
      ['iwae', 10],
      ['iwae', 4000],
    ] as const)
      bounds.push((await tiny.logLikelihood(data, { estimator, draws })).logProb[0]!);
    const [elbo, few, many] = bounds as [number, number, number];
    expect(elbo).toBeLessThan(few);
    expect(few).toBeLessThan(many);
    expect(many).toBeLessThan(truth + 1);
    expect(truth - many).toBeLessThan(truth - elbo);
  });

  it('gives the mean of the log-weights, or the log of their mean, with standard errors', async () => {
    const data = await binary(2);
    const k = 50;
    const single = [];
    for (let draw = 0; draw < k; draw++) {
      const feeds = {
        x: data,
        epsilon: float32(
          [2, ...shape],
          Array.from({ length: 2 }, () =>
            Array.from(fillNoise({ seed: 0, name: 'epsilon', distribution: 'normal', shape, draw })),
          ).flat(),
        ),
      };
      single.push((await tiny.runner.run('log_prob', feeds)).log_prob!.data[1]!);
    }
    const mean = single.reduce((a, b) => a + b) / k;
    const deviation = Math.sqrt(single.reduce((sum, w) => sum + (w - mean) ** 2, 0) / (k - 1));
    const elbo = await byThree.logLikelihood(data, { draws: k, estimator: 'elbo' });
    expect(elbo.logProb[1]).toBeCloseTo(mean, 3);
    expect(elbo.standardError[1]).toBeCloseTo(deviation / Math.sqrt(k), 4);
    const iwae = await byThree.logLikelihood(data, { draws: k });
    const expected = Math.log(single.reduce((sum, w) => sum + Math.exp(w + 200), 0) / k) - 200;
    expect(iwae.logProb[1]).toBeCloseTo(expected, 3);
    expect(iwae).toMatchObject({ estimator: 'iwae', draws: k, seed: 0 });
    expect(iwae.bitsPerDim[1]).toBeCloseTo(-expected / (SIZE * Math.LN2), 6);
  });

  it('depends on the row, the seed and the draws alone', async () => {
    const data = await binary(5);
    const all = await byThree.logLikelihood(data, { draws: 4, seed: 8 });
    const alone = await tiny.logLikelihood(float32([1, ...shape], row(data, 3)), { draws: 4, seed: 8 });
    expect(alone.logProb[0]).toBe(all.logProb[3]);
    expect((await tiny.logLikelihood(data, { draws: 4, seed: 9 })).logProb[3]).not.toBe(all.logProb[3]);
  });

  it('binarises grey values as the domain says, keyed by the seed', async () => {
    const grey = float32([2, ...shape], new Float32Array(2 * SIZE).fill(0.5));
    const thresholds = fillNoise({ seed: 6, name: 'binarise', distribution: 'uniform', shape });
    const drawn = thresholds.map(value => (value < 0.5 ? 1 : 0));
    const [first, second] = (await tiny.logLikelihood(grey, { seed: 6 })).logProb;
    expect(first).toBe(second);
    expect(first).toBe((await tiny.logLikelihood(float32([1, ...shape], drawn), { seed: 6 })).logProb[0]);
  });

  it('is exact where the family says so, and needs the label that the graph needs', async () => {
    const data = float32([1, 4, 3, 1], [0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1]);
    const result = await rows.logLikelihood(data, { label: 1, draws: 100 });
    let expected = 0;
    data.data.forEach((x, i) => {
      const p = sigmoid((i === 0 ? 0 : 1.5 * data.data[i - 1]!) + 0.5);
      expected += Math.log(x === 1 ? p : 1 - p);
    });
    expect(result).toMatchObject({ estimator: 'exact', draws: 1, standardError: Float64Array.of(0) });
    expect(result.logProb[0]).toBeCloseTo(expected, 5);
    await expect(rows.logLikelihood(data)).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'label' });
  });
});

describe('anomaly', () => {
  it('calls what the model draws normal, and its negative anomalous, with calibrated p-values', async () => {
    const { data: drawn } = await tiny.sample({ count: 20, seed: 1 });
    const normal = await byThree.anomaly(drawn, { alpha: 0.02 });
    expect(normal.filter(({ scores }) => scores[0]!.decision === 'normal').length).toBeGreaterThanOrEqual(17);
    const negative = float32(
      drawn.shape,
      drawn.data.map(value => 1 - value),
    );
    for (const { scores } of await tiny.anomaly(negative, { alpha: 0.02 })) {
      expect(scores).toEqual([
        expect.objectContaining({ name: 'nll', unit: 'nats', decision: 'anomalous', recommended: true }),
      ]);
      expect(scores[0]!.pValue).toBe(1 / 200);
    }
  });

  it('is the negative log-likelihood with the draws and the seed of the calibration', async () => {
    const data = await binary(2);
    const [, second] = await tiny.anomaly(data);
    const { logProb } = await tiny.logLikelihood(data, { draws: 4, seed: 0 });
    expect(second!.scores[0]!.value).toBe(-logProb[1]!);
  });

  it('gives no p-value for other draws or another seed, and is unsure', async () => {
    const data = await binary(1);
    for (const other of [{ draws: 5 }, { seed: 1 }]) {
      const [result] = await tiny.anomaly(data, other);
      expect(result!.scores[0]!.pValue).toBeUndefined();
      expect(result!.scores[0]!.decision).toBe('unsure');
    }
  });

  it('is unsure where the table is too small for the asked rate of false alarms', async () => {
    const [result] = await tiny.anomaly(await binary(1), { alpha: 0.004 });
    expect(result!.scores[0]).toMatchObject({ decision: 'unsure', pValue: expect.any(Number) });
  });

  it('gives the scores that are named, the uncalibrated ones without p-value', async () => {
    const data = await binary(1);
    const [result] = await tiny.anomaly(data, { scores: ['reconstruction', 'nll'] });
    const [reconstruction, nll] = result!.scores;
    const { data: back } = await tiny.reconstruct(data);
    const error = Array.from(data.data).reduce((sum, x, i) => sum + (x - back.data[i]!) ** 2, 0);
    expect(reconstruction).toMatchObject({ name: 'reconstruction', decision: 'unsure', recommended: false });
    expect(reconstruction!.value).toBeCloseTo(error, 4);
    expect(nll).toMatchObject({ name: 'nll', decision: 'normal' });
  });

  it('maps where the anomaly lies', async () => {
    const data = await binary(2);
    const odd = data.data.slice();
    odd[0] = 1; // a bright corner, where the model expects dark
    const results = await byThree.anomaly(float32(data.shape, odd), { map: true });
    const map = results[0]!.map!;
    expect(map.shape).toEqual([16, 16]);
    expect(map.data.indexOf(Math.max(...map.data))).toBe(0);
    expect((await tiny.anomaly(data))[0]!.map).toBeUndefined();
  });
});

describe('an anomaly score that uses labels', () => {
  const data = float32(
    [2, 4, 3, 1],
    [...[0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1], ...[1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0]],
  );
  /** -log p(x | label) of the fixture, by its formula. */
  const negativeLogProb = (index: number, label: number) => {
    const pixels = row(data, index);
    let sum = 0;
    pixels.forEach((x, i) => {
      const p = sigmoid((i === 0 ? 0 : 1.5 * pixels[i - 1]!) + [-1.5, 0.5][label]!);
      sum -= Math.log(x === 1 ? p : 1 - p);
    });
    return sum;
  };
  /** tiny-rows with two likelihood scores: of the label's class, and of what the graph makes of no label. */
  const score = { ...tiny.manifest.scores.find(({ name }) => name === 'nll')!, draws: 1, calibration: undefined };
  const table = { pooled: Float64Array.of(1, 5, 7, 9), light: Float64Array.of(1, 9) };
  const withScores = (classes: readonly { label: number; count: number; table: string }[] = []) => {
    const { manifest, runner } = rows;
    // tiny-rows has no value for "no label": 1 for the scores that are given none.
    const operations = manifest.operations.map(operation => ({
      ...operation,
      inputs: operation.inputs.map(port => (port.role === 'label' ? { ...port, default: 1 } : port)),
    }));
    const calibration = { count: 4, table: 'pooled', data: '', classes: [...classes] };
    const scores = [
      { ...score, name: 'plain', recommended: true },
      { ...score, name: 'of-label', usesLabel: true, recommended: false, calibration },
    ];
    return new BundleGenerator(
      { manifest: { ...manifest, operations, scores }, table: async path => table[path as keyof typeof table] },
      runner,
    );
  };
  const valuesOf = (results: Awaited<ReturnType<BundleGenerator['anomaly']>>, name: string) =>
    results.map(({ scores }) => scores.find(score => score.name === name)!.value);

  it('is of the row given its label, one for all or one for each', async () => {
    const generator = withScores();
    for (const label of [0, 1, [0, 1], [1, 0]]) {
      const values = valuesOf(await generator.anomaly(data, { scores: ['of-label'], label }), 'of-label');
      const labels = typeof label === 'number' ? [label, label] : label;
      closeTo(
        values,
        labels.map((each, i) => negativeLogProb(i, each)),
        1e-5,
      );
    }
  });

  it('leaves scores without the mark as they are, to the bit, with it in the same request too', async () => {
    const generator = withScores();
    const alone = valuesOf(await generator.anomaly(data), 'plain');
    expect(alone).toEqual([...(await rows.logLikelihood(data, { label: 1 })).logProb].map(value => -value));
    const results = await generator.anomaly(data, { scores: ['plain', 'of-label'], label: 0 });
    expect(valuesOf(results, 'plain')).toEqual(alone);
    closeTo(valuesOf(results, 'of-label'), [negativeLogProb(0, 0), negativeLogProb(1, 0)], 1e-5);
  });

  it('has a p-value among all rows with their own labels, or among those of its class where there is a table', async () => {
    const pValues = async (generator: BundleGenerator) =>
      (await generator.anomaly(data, { scores: ['of-label'], label: 1 })).map(({ scores }) => scores[0]!.pValue);
    const shareOf = (sorted: Float64Array) =>
      [0, 1].map(i => (1 + sorted.filter(value => value >= negativeLogProb(i, 1)).length) / (sorted.length + 1));
    expect(await pValues(withScores())).toEqual(shareOf(table.pooled));
    expect(await pValues(withScores([{ label: 1, count: 2, table: 'light' }]))).toEqual(shareOf(table.light));
  });

  it.each([
    ['no label', undefined, /score of-label needs the label of each row; row 0 has none/],
    ['no label for one row', [1, -1], /row 1 has none/],
    ['a label that there is not', [0, 2], /from -1 to 1/],
  ])('refuses %s', async (_, label, message) => {
    const refused = withScores().anomaly(data, { scores: ['of-label'], label });
    await expect(refused).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      field: 'label',
      message: expect.stringMatching(message),
    });
  });
});

describe('labels', () => {
  it('are drawn by training frequency where absent, and told', async () => {
    const { labels, data } = await rows.sample({ count: 400, seed: 2 });
    const light = labels!.filter(label => label === 1).length / 400;
    expect(Math.abs(light - 0.75)).toBeLessThan(0.07);
    const uniforms = fillNoise({ seed: 2, name: 'label', distribution: 'uniform', shape: [], count: 400 });
    expect(labels).toEqual(Array.from(uniforms, u => (u < 0.25 ? 0 : 1)));
    const again = await rows.sample({ count: 1, seed: 2, firstIndex: 7, label: labels![7] });
    expect(again.data.data).toEqual(row(data, 7));
  });

  it('are told where the runner takes its feeds away, as a worker does', async () => {
    const taking: Runner = {
      ...rows.runner,
      run: (operation, feeds, options) =>
        rows.runner.run(operation, structuredClone(feeds, { transfer: transferList(feeds) }), options),
    };
    const { labels, data } = await new BundleGenerator(rows.bundle, taking).sample({ count: 5, seed: 2 });
    expect({ labels, data }).toMatchObject(
      await rows.sample({ count: 5, seed: 2 }).then(({ labels, data }) => ({ labels, data })),
    );
  });

  it('are taken for all rows at once or one by one', async () => {
    expect((await rows.sample({ count: 3, label: 1 })).labels).toEqual([1, 1, 1]);
    expect((await rows.sample({ count: 3, label: [0, 1, 0] })).labels).toEqual([0, 1, 0]);
  });
});

describe('autoregressive models', () => {
  const noise = (seed: number) => fillNoise({ seed, name: 'u', distribution: 'uniform', shape: [4, 3, 1] });
  /** The chain of the fixture, pixel by pixel. */
  const chain = (u: Float32Array, label: number, known: (i: number) => number | undefined) => {
    const pixels: number[] = [];
    for (let i = 0; i < 12; i++) {
      const logit = (i === 0 ? 0 : 1.5 * pixels[i - 1]!) + [-1.5, 0.5][label]!;
      pixels.push(known(i) ?? (u[i]! < sigmoid(logit) ? 1 : 0));
    }
    return pixels;
  };

  it('sample as their equations say', async () => {
    const { data } = await rows.sample({ seed: 21, label: 0 });
    expect(Array.from(data.data)).toEqual(chain(noise(21), 0, () => undefined));
  });

  it('complete a picture, known pixels kept exactly', async () => {
    const picture = float32([1, 4, 3, 1], [1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    const mask = float32([1, 4, 3, 1], [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    const { data } = await rows.complete(picture, mask, { count: 3, seed: 5, firstIndex: 0 });
    expect(data.shape).toEqual([3, 4, 3, 1]);
    for (let i = 0; i < 3; i++) expect(row(data, i).slice(0, 6)).toEqual(row(picture, 0).slice(0, 6));
    const labels = fillNoise({ seed: 5, name: 'label', distribution: 'uniform', shape: [] });
    const expected = chain(noise(5), labels[0]! < 0.25 ? 0 : 1, i => (i < 6 ? picture.data[i] : undefined));
    expect(Array.from(row(data, 0))).toEqual(expected);
  });

  it.each([0.25, 0.5, 0.75])('give identical bits in slices of %d of a picture', async share => {
    const sliced = await open('tiny-rows', share);
    const whole = await rows.sample({ count: 2, seed: 9 });
    for (let i = 0; i < 2; i++)
      expect((await sliced.sample({ seed: 9, firstIndex: i })).data.data).toEqual(row(whole.data, i));
    await sliced.close();
  });
});

describe('cancellation', () => {
  it('stops between steps, and a later call works', async () => {
    const controller = new AbortController();
    const call = byThree.sample({
      count: 300,
      signal: controller.signal,
      onProgress: ({ done }) => done === 6 && controller.abort(),
    });
    await expect(call).rejects.toMatchObject({ reason: 'CANCELLED' });
    expect((await byThree.sample({ count: 4 })).data.shape[0]).toBe(4);
  });

  it('is seen by timers while steps run, so that a deadline takes effect', async () => {
    const call = byThree.sample({ count: 100_000, signal: AbortSignal.timeout(50) });
    await expect(call).rejects.toMatchObject({ reason: 'DEADLINE_EXCEEDED' });
  });

  it('passes on the reason of the one who aborted', async () => {
    const reason = new GenserveError('OVERLOADED', 'shed');
    await expect(tiny.sample({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('bad input', () => {
  const picture = (value: number, rest = shape) => float32([1, ...rest], new Float32Array(256).fill(value));
  it.each<[string, string, RegExp, () => Promise<unknown>]>([
    ['a negative count', 'count', /integer of 1 or more, was -1/, () => tiny.sample({ count: -1 })],
    ['a fractional count', 'count', /integer/, () => tiny.sample({ count: 1.5 })],
    ['a count that is not a number', 'count', /integer/, () => tiny.sample({ count: Number.NaN })],
    ['a seed that is too large', 'seed', /integer from 0 to/, () => tiny.sample({ seed: 2 ** 53 })],
    [
      'a negative seed, where nothing is drawn',
      'seed',
      /integer from 0 to/,
      () => rows.logLikelihood(float32([1, 4, 3, 1], Array(12).fill(0)), { label: 0, seed: -1 }),
    ],
    ['a negative first index', 'firstIndex', /integer of 0 or more/, () => tiny.sample({ firstIndex: -1 })],
    ['an index past 2^32', 'firstIndex', /2\^32/, () => tiny.sample({ firstIndex: 2 ** 32 })],
    ['a temperature of 0', 'temperature', /greater than 0/, () => tiny.sample({ temperature: 0 })],
    ['a negative temperature', 'temperature', /greater than 0/, () => tiny.sample({ temperature: -1 })],
    ['a temperature that is no number', 'temperature', /was NaN/, () => tiny.sample({ temperature: Number.NaN })],
    ['a truncation that the model lacks', 'truncation', /takes no truncation/, () => tiny.sample({ truncation: 0.5 })],
    ['a label that the model lacks', 'label', /takes no label/, () => tiny.sample({ label: 1 })],
    ['a label out of range', 'label', /from -1 to 1; element 0 was 2/, () => rows.sample({ label: 2 })],
    ['a label that is not whole', 'label', /integer/, () => rows.sample({ label: 0.5 })],
    ['too many labels', 'label', /shape \[3 or 1\], was \[2\]/, () => rows.sample({ count: 3, label: [0, 1] })],
    ['data of another shape', 'data', /shape \[1,16,16,1\], was \[1,256\]/, () => tiny.encode(picture(0, [256]))],
    ['no rows', 'data', /at least one row/, () => tiny.encode(float32([0, ...shape], []))],
    ['data above 1', 'data', /from 0 to 1; element 0 was 255/, () => tiny.logLikelihood(picture(255))],
    ['data that are not numbers', 'data', /element 0 was NaN/, () => tiny.anomaly(picture(Number.NaN))],
    [
      'data of another type',
      'data',
      /must be float32, was int32/,
      () => tiny.logLikelihood({ dtype: 'int32', shape: [1, ...shape], data: new Int32Array(256) }),
    ],
    [
      'fewer numbers than the shape says',
      'data',
      /holds 5 numbers/,
      () => tiny.encode(float32([1, ...shape], [1, 0, 1, 0, 1])),
    ],
    ['an unknown latent', 'latents.w', /decode takes z/, () => tiny.decode({ w: picture(0) })],
    ['no latent', 'latents.z', /must be given/, () => tiny.decode({})],
    ['an infinite latent', 'latents.z', /finite; element 0 was Infinity/, () => tiny.decode({ z: picture(Infinity) })],
    ['one step of interpolation', 'steps', /2 or more/, () => tiny.interpolate({}, {}, { steps: 1 })],
    ['no end of interpolation', 'from.z', /codes of one row/, () => tiny.interpolate({}, {}, { steps: 2 })],
    ['no draws', 'draws', /1 or more/, () => tiny.logLikelihood(picture(0), { draws: 0 })],
    [
      'an unknown estimator',
      'estimator',
      /elbo or iwae/,
      // @ts-expect-error: what a caller without types may write
      () => tiny.logLikelihood(picture(0), { estimator: 'mean' }),
    ],
    ['an alpha of 1', 'alpha', /between 0 and 1/, () => tiny.anomaly(picture(0), { alpha: 1 })],
    [
      'an unknown score',
      'scores[0]',
      /there is nll, reconstruction/,
      () => tiny.anomaly(picture(0), { scores: ['x'] }),
    ],
    [
      'a mask that is not 0 or 1',
      'mask',
      /0 \(unknown\) or 1 \(known\)/,
      () => rows.complete(float32([1, 4, 3, 1], Array(12).fill(0)), float32([1, 4, 3, 1], Array(12).fill(0.5))),
    ],
  ])('%s is refused, naming %s', async (_what, field, message, call) => {
    const error = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GenserveError);
    expect(error).toMatchObject({ reason: 'INVALID_ARGUMENT', field, message: expect.stringMatching(message) });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['complete', () => tiny.complete(picture(0), picture(0))],
    ['translate', () => tiny.translate(picture(0))],
    ['translate_back', () => tiny.translate(picture(0), { backward: true })],
    ['encode', () => rows.encode(picture(0))],
    ['anomaly scores', () => rows.anomaly(picture(0))],
  ])('%s is unsupported where the family has none', async (what, call) => {
    await expect(call()).rejects.toMatchObject({
      reason: 'OPERATION_UNSUPPORTED',
      message: expect.stringContaining(what),
    });
  });
});

describe('a graph that goes wrong', () => {
  const broken = (outputs: Record<string, Tensor>): Runner => ({
    run: async () => outputs,
    rowsPerStep: () => 64,
    close: async () => undefined,
  });
  it('is told apart: a missing output, a likelihood that is not a number', async () => {
    const picture = float32([1, ...shape], new Float32Array(SIZE));
    const silent = new BundleGenerator(tiny.bundle, broken({}));
    await expect(silent.sample()).rejects.toMatchObject({
      reason: 'INTERNAL',
      message: expect.stringContaining('gave no output x'),
    });
    const nan = new BundleGenerator(tiny.bundle, broken({ log_prob: float32([1], [Number.NaN]) }));
    await expect(nan.logLikelihood(picture)).rejects.toMatchObject({
      reason: 'NON_FINITE',
      message: expect.stringContaining('row 0'),
    });
  });
});
