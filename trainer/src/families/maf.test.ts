import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Domain, float32, type Tensors } from '@genserve/runtime';
import { afterAll, describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { createSession } from '../engine/session.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { operationProgram } from '../export/operation-program.js';
import { verify } from '../export/verify.js';
import { Scope } from '../nn/variable.js';
import {
  evaluate,
  type FlowSubject,
  flowSubject,
  greatestDifference,
  halfPrecisionBytes,
  imageDomain,
  movedState,
  normals,
  numericalLogDeterminant,
  runFlow,
} from '../testing/flows.js';
import { pointsDataset } from '../testing/points.js';
import { exportOperations } from '../trace/operations.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { runPaths } from '../train/run-folder.js';
import { train } from '../train/train.js';
import { autoregressiveFlow, maf } from './maf.js';

const compiled = compiledEngine({ threads: 1 });
const settings = { layers: 3, hidden: [12, 10], blocks: 2 };
const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

function vectorDomain(mean: number[], deviation: number[]): Domain {
  return { vector: { names: mean.map((_, i) => `column${i}`), mean, deviation, labels: [] } };
}

/** Points of a grid over a box, and the volume of a cell. */
function grid(low: readonly number[], high: readonly number[], points: number) {
  const dimensions = low.length;
  const count = points ** dimensions;
  const data = Float32Array.from({ length: count * dimensions }, (_, i) => {
    const [index, axis] = [Math.floor(i / dimensions), i % dimensions];
    const place = Math.floor(index / points ** axis) % points;
    return low[axis]! + ((place + 0.5) / points) * (high[axis]! - low[axis]!);
  });
  const cell = low.reduce((volume, from, axis) => (volume * (high[axis]! - from)) / points, 1);
  return { x: float32([count, dimensions], data), cell, count };
}

const sumOfExponentials = (logs: ArrayLike<number>) => Array.from(logs).reduce((sum, log) => sum + Math.exp(log), 0);

describe('the density of a masked autoregressive flow', () => {
  test.each([1, 2])('is that of its codes times the Jacobian of encoding (%i)', async seed => {
    const subject = flowSubject(maf, settings, vectorDomain([1, -2, 0, 3, 5], [0.5, 2, 1, 3, 0.2]), 0.1);
    const x = float32(
      [1, 5],
      [1, -2, 0, 3, 5].map((mean, i) => mean + 0.3 * normals('x', [5], seed)[i]!),
    );
    const encode = async (rows: typeof x) => (await runFlow(subject, 'encode', { x: rows })).z!;
    const codes = await encode(x);
    const { log_prob } = await runFlow(subject, 'log_prob', { x });
    const prior = Array.from(codes.data).reduce((sum: number, z: number) => sum - 0.5 * z * z - halfLogTwoPi, 0);
    const jacobian = await numericalLogDeterminant(encode, x, 1e-3);
    expect(Math.abs(log_prob!.data[0]! - prior - jacobian)).toBeLessThan(0.01);
  });

  test('integrates to one over the plane, in the units of the data', async () => {
    const subject = flowSubject(maf, settings, vectorDomain([10, -3], [2, 0.1]), 0.1);
    const { x, cell } = grid([-20, -4.5], [40, -1.5], 200);
    const { log_prob } = await runFlow(subject, 'log_prob', { x }, compiled);
    expect(Math.abs(cell * sumOfExponentials(log_prob!.data) - 1)).toBeLessThan(1e-3);
    expect(subject.model.likelihood).toMatchObject({ kind: 'exact', dimensions: 2 });
  });

  test('sums to one over all pictures of two pixels of three levels: the logit loses nothing', async () => {
    const subject = flowSubject(maf, settings, imageDomain(1, 2, 3), 0.1);
    const { x: u, count } = grid([0, 0], [1, 1], 100);
    const x = Float32Array.from({ length: 9 * u.data.length }, (_, i) => {
      const picture = Math.floor(i / u.data.length);
      return (i % 2 === 0 ? picture % 3 : Math.floor(picture / 3)) / 2;
    });
    const noise = Float32Array.from(x, (_, i) => u.data[i % u.data.length]!);
    const shape = [9 * count, 1, 2, 1];
    const feeds = { x: float32(shape, x), dequantisation: float32(shape, noise) };
    const { log_prob } = await runFlow(subject, 'log_prob', feeds, compiled);
    // P(x) is the mean over the noise.
    const total = sumOfExponentials(log_prob!.data) / count;
    expect(Math.abs(total - 1)).toBeLessThan(0.01);
    expect(subject.model.likelihood).toMatchObject({ kind: 'bound', dimensions: 2 });
  });
});

describe('the masks', () => {
  const dimensions = 7;
  /** d y_i / d x_j of `layers` of the flow without batch normalisation, at one point. */
  async function jacobian(layers: number) {
    const scope = new Scope();
    const flow = autoregressiveFlow(
      maf.configuration.parse({ layers, hidden: [30], blocks: 3, batchNorm: false }),
      dimensions,
      scope,
    );
    const state = movedState(scope.variables(), 0.2);
    const row = normals('x', [dimensions]);
    const rows = new Float32Array((dimensions + 1) * dimensions);
    for (let j = 0; j <= dimensions; j++) {
      rows.set(row, j * dimensions);
      if (j < dimensions) rows[j * dimensions + j]! += 0.5;
    }
    const { y } = await evaluate(scope.variables(), state, float32([dimensions + 1, dimensions], rows), x => ({
      y: flow.forward(x, 'serve').y,
    }));
    const base = dimensions * dimensions;
    return (i: number, j: number) => Math.abs(y!.data[j * dimensions + i]! - y!.data[base + i]!);
  }

  test('keep every element from itself and from later ones, and let it see all earlier ones', async () => {
    const moved = await jacobian(1);
    for (let i = 0; i < dimensions; i++) {
      for (let j = 0; j < dimensions; j++) {
        if (j > i) expect(moved(i, j), `${j} moves ${i}`).toBe(0);
        else expect(moved(i, j), `${j} does not move ${i}`).toBeGreaterThan(0);
      }
    }
  });

  test('are turned round in the next layer: the last element of one is the first of the other', async () => {
    const moved = await jacobian(2);
    // Reversed, y_0 comes from the last element alone in the second layer, which saw all in the first.
    for (let j = 0; j < dimensions; j++) expect(moved(0, j)).toBeGreaterThan(0);
    // y_last sees x_0 through every element.
    expect(moved(dimensions - 1, 0)).toBeGreaterThan(0);
  });

  test('leave neither mean nor scale of an element to itself: moving it alone moves its code in proportion', async () => {
    const scope = new Scope();
    const flow = autoregressiveFlow(
      maf.configuration.parse({ layers: 1, hidden: [30], blocks: 3, batchNorm: false }),
      dimensions,
      scope,
    );
    const state = movedState(scope.variables(), 0.2);
    const row = normals('x', [dimensions]);
    for (let i = 0; i < dimensions; i++) {
      const rows = Float32Array.from({ length: 3 * dimensions }, (_, k) => row[k % dimensions]!);
      for (const step of [1, 2]) rows[step * dimensions + i]! += step;
      const { y } = await evaluate(scope.variables(), state, float32([3, dimensions], rows), x => ({
        y: flow.forward(x, 'serve').y,
      }));
      const code = (step: number) => y!.data[step * dimensions + i]!;
      expect(code(2) - code(1)).toBeCloseTo(code(1) - code(0), 4);
    }
  });
});

const subjects: [string, FlowSubject, (batch: number) => Tensors[string]][] = [
  [
    'vectors',
    flowSubject(maf, settings, vectorDomain([1, -2, 0, 3, 5], [0.5, 2, 1, 3, 0.2]), 0.1),
    batch =>
      float32(
        [batch, 5],
        normals('row', [batch, 5]).map((value, i) => [1, -2, 0, 3, 5][i % 5]! + 0.2 * value),
      ),
  ],
  [
    'pictures',
    flowSubject(maf, settings, imageDomain(2, 3, 256), 0.1),
    batch =>
      float32(
        [batch, 2, 3, 1],
        normals('row', [batch, 6]).map(value => Math.round(255 / (1 + Math.exp(-value))) / 255),
      ),
  ],
];

describe.each(subjects)('the operations of a masked autoregressive flow on %s', (_, subject, rows) => {
  const feedsOf = (name: string, batch: number): Tensors => {
    const operation = subject.model.operations.find(each => each.name === name)!;
    return Object.fromEntries(
      operation.inputs.map(({ name: input, role, shape = [] }) => {
        if (role === 'data') return [input, rows(batch)];
        if (role === 'temperature') return [input, float32([batch], new Float32Array(batch).fill(0.7))];
        const values = normals(input, [batch, ...shape]);
        const uniform = values.map(value => 1 / (1 + Math.exp(-value)));
        return [input, float32([batch, ...shape], input === 'dequantisation' ? uniform : values)];
      }),
    );
  };

  test('decode element by element what they encode at once, to 1e-4', async () => {
    const x = rows(4);
    const codes = await runFlow(subject, 'encode', { x });
    const { x: back } = await runFlow(subject, 'decode', codes);
    expect(greatestDifference(back!.data, x.data)).toBeLessThan(1e-4);
  });

  test('sample what has the code of its noise', async () => {
    // Near the middle, as pictures are cut off at 0 and 1.
    const z = feedsOf('decode', 3).z!;
    const near = float32(
      z.shape,
      Float32Array.from(z.data, value => 0.2 * value),
    );
    const { x } = await runFlow(subject, 'sample', { z: near });
    const { z: back } = await runFlow(subject, 'encode', { x: x! });
    expect(greatestDifference(back!.data, near.data)).toBeLessThan(1e-3);
  });

  test('are the same exported, at any batch: the inverse is a loop in the graph', async () => {
    const programs = subject.model.operations.map(operation => operationProgram(operation, subject.variables));
    const { operations, weights } = exportOperations(programs, subject.state);
    for (const { name, model, operators } of operations) {
      expect(operators.includes('Loop'), name).toBe(['sample', 'decode'].includes(name));
      const session = await createSession(model, { ...(weights.length > 0 && { weights }), threads: 1 });
      for (const batch of [1, 2, 7]) {
        const feeds = feedsOf(name, batch);
        const expected = await runFlow(subject, name, feeds);
        const found = await session.run(feeds);
        for (const [output, { data }] of Object.entries(expected)) {
          const magnitude = Array.from(data).reduce(
            (most: number, value: number) => Math.max(most, Math.abs(value)),
            1,
          );
          expect(greatestDifference(found[output]!.data, data) / magnitude, `${name} ${output}`).toBeLessThan(1e-4);
        }
      }
      await session.close();
    }
  });
});

describe('training a masked autoregressive flow', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));

  test('fits a banana on vectors, and ends in a bundle that verifies and samples it', async () => {
    const runs = await mkdtemp(join(tmpdir(), 'genserve-maf-'));
    folders.push(runs);
    const dataset = pointsDataset();
    const { folder } = await train({
      family: maf,
      data: dataset,
      configuration: { layers: 3, hidden: [24] },
      training: { batch: 100, optimiser: { learningRate: 0.01 }, schedule: { warmUpSteps: 10 }, evaluateEvery: 500 },
      steps: 300,
      engine: compiled,
      runs,
      name: 'run',
    });
    const state = (await latestCheckpoint(runPaths(folder).checkpoints))!.state;
    expect(state.get('norm1/count')![0]).toBe(300);
    const published = await exportBundle(folder, {
      out: join(runs, 'models'),
      name: 'tiny-maf',
      dataset,
      family: maf,
      calibrationRows: 50,
      evaluation: { rows: 500, k: 1 },
    });
    expect(await verify(published.folder, { threads: 1 })).toMatchObject({ name: 'tiny-maf', passed: true });
    const nll = published.manifest.provenance!.metrics['test.nll_nats']!;
    // The density's own entropy, and what two independent Gaussians of the data's moments reach.
    expect(nll).toBeGreaterThan(pointsDataset.entropy - 0.15);
    expect(nll).toBeLessThan(pointsDataset.entropy + 0.35);
    const generator = await openGenerator(published.folder, { threads: 1 });
    const { data } = await generator.sample({ count: 400, seed: 1 });
    await generator.close();
    // x2 = x1^2 + noise
    const residual = Array.from({ length: 400 }, (_, i) => data.data[2 * i + 1]! - data.data[2 * i]! ** 2);
    const mean = residual.reduce((sum, each) => sum + each, 0) / 400;
    expect(Math.abs(mean)).toBeLessThan(0.15);
  }, 180_000);
});

describe('the preset "small"', () => {
  test('takes at most 4 MB on MNIST at half precision', () => {
    const subject = flowSubject(maf, maf.presets.small!, imageDomain(28, 28, 256));
    expect(halfPrecisionBytes(subject)).toBeLessThan(4e6);
  });
});
