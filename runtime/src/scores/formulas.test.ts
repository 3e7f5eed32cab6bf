import type { Manifest, Score } from '@genserve/proto/manifest';
import { describe, expect, it } from 'vitest';
import { float32 } from '../tensor.js';
import { densityRow, logDensity } from './density.js';
import type { ScoreContext } from './formula.js';
import type { Formula } from './formula-names.js';
import { SCORES } from './formulas.js';

interface Given {
  readonly weights?: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly outputs?: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly table?: readonly number[];
  readonly others?: Readonly<Record<string, readonly number[]>>;
  readonly score?: Partial<Score>;
  readonly data?: readonly (readonly number[])[];
}

const rowsTensor = (rows: readonly (readonly number[])[]) => float32([rows.length, rows[0]!.length], rows.flat());

function compute(formula: Formula, given: Given): Promise<Float64Array> {
  const { weights = {}, outputs = {}, table = [], others = {}, data = [[0, 0, 0, 0]] } = given;
  const score: Score = {
    name: formula,
    formula,
    operations: [],
    parameters: {},
    draws: 1,
    seed: 0,
    tables: ['table'],
    calibration: undefined,
    recommended: false,
    statistics: [],
    usesLabel: false,
    ...given.score,
  };
  const domain: Manifest['domain'] = {
    image: { height: 2, width: 2, channels: 1, levels: 2, binarisation: 'none', polarity: '', labels: [] },
  };
  const context: ScoreContext = {
    manifest: { domain, scores: [score] } as Pick<Manifest, 'domain' | 'scores'> as Manifest, // all that formulas look at
    score,
    data: float32([data.length, 2, 2, 1], data.flat()),
    logWeights: async name => weights[name]!.map(row => Float64Array.from(row)),
    output: async name => rowsTensor(outputs[name]!),
    table: async () => Float64Array.from(table),
    shared: (_, make) => make(),
    value: async name => Float64Array.from(others[name]!),
  };
  return SCORES[formula].compute(context);
}

describe('formulas', () => {
  it('negative log-likelihood is -log of the mean weight in nats, or minus the mean log-weight', async () => {
    const weights = { log_prob: [[Math.log(0.2), Math.log(0.4), Math.log(0.9)]] };
    expect((await compute('negative-log-likelihood', { weights }))[0]).toBeCloseTo(-Math.log(0.5), 12);
    const plain = await compute('negative-log-likelihood', { weights, score: { parameters: { elbo: 1 } } });
    expect(plain[0]).toBeCloseTo(-(Math.log(0.2) + Math.log(0.4) + Math.log(0.9)) / 3, 12);
  });

  it('typicality is the distance of -log p from the entropy, on either side', async () => {
    const weights = { log_prob: [[-80], [-100], [-95]] };
    expect([...(await compute('typicality', { weights, score: { parameters: { entropy: 95 } } }))]).toEqual([15, 5, 0]);
  });

  it('likelihood ratio is in nats for the whole datum, and high where the background explains more', async () => {
    const weights = { log_prob: [[-80], [-80]], background_log_prob: [[-120], [-60]] };
    expect([...(await compute('likelihood-ratio', { weights }))]).toEqual([-40, 20]);
  });

  it('input complexity has bits for the whole datum on both sides: 0 for a model that is the coder itself', async () => {
    const data = [[0, 1, 1, 0]];
    const bits = (await compute('complexity', { data }))[0]!;
    const weights = { log_prob: [[-bits * Math.LN2]] };
    expect((await compute('input-complexity', { weights, data }))[0]).toBeCloseTo(0, 10);
    // Four bits more, said in nats, are four bits more.
    const worse = { log_prob: [[-(bits + 4) * Math.LN2]] };
    expect((await compute('input-complexity', { weights: worse, data }))[0]).toBeCloseTo(4, 10);
  });

  it('WAIC is the variance minus the mean over the ensemble', async () => {
    const weights = { log_prob: [[-90]], 'log_prob.2': [[-94]], 'log_prob.3': [[-92]] };
    const score = { operations: ['log_prob', 'log_prob.2', 'log_prob.3'] };
    expect((await compute('waic', { weights, score }))[0]).toBeCloseTo(8 / 3 + 92, 10);
  });

  it('rate and distortion are the two parts of the negative bound', async () => {
    const weights = {
      log_prob: [[-100, -104]],
      log_prob_map: [[-70, -72]],
    };
    const [rate] = await compute('rate', { weights });
    const [distortion] = await compute('distortion', { weights });
    expect(rate).toBeCloseTo(31, 12);
    expect(distortion).toBeCloseTo(71, 12);
    expect(rate! + distortion!).toBeCloseTo(102, 12);
  });

  it('exemplar likelihood is distortion and distance from the nearest code, for each bit of complexity', async () => {
    const data = [[0, 1, 1, 0]];
    const [bits] = await compute('complexity', { data });
    const [ratio] = await compute('exemplar-likelihood', {
      data,
      weights: { log_prob_map: [[-70, -72]] },
      outputs: { encode: [[3, 1]] },
      // The second is the nearest, at a squared distance of 5.
      table: [9, 9, 2, 3, -3, 1],
      score: { operations: ['encode', 'log_prob_map'], parameters: { variance: 0.25 } },
    });
    expect(ratio).toBeCloseTo((71 + 5 / (2 * 0.25)) / bits!, 10);
  });

  it('reconstruction error is a sum of squares', async () => {
    const outputs = { reconstruct: [[0.5, 1, 0, 0]] };
    expect((await compute('reconstruction-error', { outputs, data: [[0, 1, 0, 1]] }))[0]).toBeCloseTo(1.25, 6);
  });

  it('discriminator turns the sign of the critic', async () => {
    expect([
      ...(await compute('discriminator', {
        outputs: { critic: [[2], [-3]] },
        data: [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ],
      })),
    ]).toEqual([-2, 3]);
  });

  it('Mahalanobis distance is that of the closed form for a correlated plane', async () => {
    // Covariance [[4, 2], [2, 3]] = L L^T with L = [[2, 0], [1, sqrt 2]]; W = L^-1.
    const table = [1, -1, 0.5, 0, -0.5 / Math.SQRT2, 1 / Math.SQRT2];
    const score = { operations: ['encode'] };
    const [distance] = await compute('mahalanobis', { outputs: { encode: [[3, 1]] }, table, score });
    // (2, 2) covariance^-1 (2, 2) with covariance^-1 = [[3, -2], [-2, 4]] / 8.
    expect(distance).toBeCloseTo(Math.sqrt((4 * 3 - 2 * 8 + 4 * 4) / 8), 6);
  });

  it('the k-th nearest neighbour is that of a sorted list', async () => {
    const bank = Array.from({ length: 40 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
    const points = [
      [0.1, 0.2],
      [2, -1],
    ];
    for (const k of [1, 3, 40]) {
      const found = await compute('nearest-neighbours', {
        outputs: { features: points },
        table: bank.flat(),
        data: [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ],
        score: { operations: ['features'], parameters: { k } },
      });
      points.forEach(([x, y], row) => {
        const sorted = bank.map(([a, b]) => Math.hypot(x! - a!, y! - b!)).sort((a, b) => a - b);
        expect(found[row]).toBeCloseTo(sorted[k - 1]!, 5);
      });
    }
  });

  it('fusion adds what each statistic has of surprise', async () => {
    const [first, second] = [densityRow([0, 1, 2, 3, 10]), densityRow([5, 5.5, 7])];
    const others = { a: [1.5], b: [6] };
    const score = { statistics: ['a', 'b'] };
    const [value] = await compute('fusion', { others, table: [...first, ...second], score });
    expect(value).toBeCloseTo(-logDensity(first, 1.5) - logDensity(second, 6), 10);
  });

  it('all have a unit', () => {
    for (const { unit } of Object.values(SCORES)) expect(unit).not.toBe('');
  });
});

describe('density', () => {
  // Deviation 1.5811, interquartile range 2 / 1.34 = 1.4925: bandwidth 0.9 * 1.4925 * 5^-0.2.
  const sample = [1, 2, 3, 4, 5];
  const bandwidth = 0.9 * (2 / 1.34) * 5 ** -0.2;
  const kernelSum = (at: number) =>
    Math.log(
      sample.reduce((sum, x) => sum + Math.exp(-0.5 * ((at - x) / bandwidth) ** 2), 0) /
        (5 * bandwidth * Math.sqrt(2 * Math.PI)),
    );

  it('is the sum of kernels, by interpolation in a table', () => {
    const row = densityRow(sample, 1024);
    for (const at of [0, 1.234, 3, 4.75, 6]) expect(logDensity(row, at)).toBeCloseTo(kernelSum(at), 3);
  });

  it('integrates to 1', () => {
    const row = densityRow(sample, 256);
    let sum = 0;
    for (let at = -20; at < 30; at += 0.01) sum += 0.01 * Math.exp(logDensity(row, at));
    expect(sum).toBeCloseTo(1, 3);
  });

  it('falls beyond the last datum as its kernel does', () => {
    const row = densityRow(sample, 1024);
    for (const at of [12, 25]) expect(logDensity(row, at) / kernelSum(at)).toBeCloseTo(1, 1);
    expect(logDensity(row, 1e6)).toBeLessThan(logDensity(row, 1e5));
  });

  it('bears a statistic that never changes', () => {
    expect(logDensity(densityRow([2, 2, 2]), 2)).toBeGreaterThan(logDensity(densityRow([2, 2, 2]), 2.1));
  });
});
