import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { float32, type Tensors } from '@genserve/runtime';
import { afterAll, describe, expect, test } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import { createSession } from '../engine/session.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { operationProgram } from '../export/operation-program.js';
import { verify } from '../export/verify.js';
import { Scope } from '../nn/variable.js';
import { blobDataset } from '../testing/blobs.js';
import {
  type FlowSubject,
  flowSubject,
  greatestDifference,
  halfPrecisionBytes,
  imageDomain,
  normals,
  numericalLogDeterminant,
  runFlow,
} from '../testing/flows.js';
import { exportOperations } from '../trace/operations.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { readRunRecord, runPaths } from '../train/run-folder.js';
import { trainingSettings } from '../train/settings.js';
import { train } from '../train/train.js';
import { glow } from './glow.js';

const compiled = compiledEngine({ threads: 1 });
const settings = { levels: 2, steps: 2, width: 4 };
const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

/** x = k / 255, [count, 4, 4, 1]. */
function pictures(count: number, seed = 1, size = 4) {
  const values = normals('picture', [count, size, size, 1], seed);
  return float32(
    [count, size, size, 1],
    values.map(value => Math.round(255 / (1 + Math.exp(-value))) / 255),
  );
}

function uniforms(count: number, seed = 1, size = 4) {
  const values = normals('uniform', [count, size, size, 1], seed);
  return float32(
    [count, size, size, 1],
    values.map(value => 1 / (1 + Math.exp(-value))),
  );
}

/** log N(codes; 0, I) of one row. */
function standardNormal(codes: Tensors): number {
  const values = Object.values(codes).flatMap(({ data }) => [...data]);
  return values.reduce((sum, value) => sum - 0.5 * value * value - halfLogTwoPi, 0);
}

describe('the density of Glow', () => {
  const subject = flowSubject(glow, settings, imageDomain(4, 4, 0), 0.1);

  test.each([1, 2])(
    'is that of its codes times the Jacobian of encoding, two levels and split prior (%i)',
    async seed => {
      const x = float32([1, 4, 4, 1], uniforms(1, seed).data);
      const encode = async (rows: typeof x) => {
        const codes = await runFlow(subject, 'encode', { x: rows });
        const count = rows.shape[0]!;
        const parts = [codes.z1!, codes.z2!];
        const width = parts.map(({ data }) => data.length / count);
        const joined = Array.from({ length: count }, (_, row) =>
          parts.flatMap(({ data }, i) => [...data.subarray(row * width[i]!, (row + 1) * width[i]!)]),
        ).flat();
        return float32([count, 16], joined);
      };
      const { log_prob } = await runFlow(subject, 'log_prob', { x });
      const expected =
        standardNormal(await runFlow(subject, 'encode', { x })) + (await numericalLogDeterminant(encode, x, 1e-3));
      expect(Math.abs(log_prob!.data[0]! - expected)).toBeLessThan(0.02);
    },
  );

  test('integrates to one over pictures of four pixels', async () => {
    const tiny = flowSubject(glow, { levels: 1, steps: 1, width: 3 }, imageDomain(2, 2, 0), 0.2);
    // Far outside lies nothing: the widest code is 6 deviations away at the edges of the grid.
    const points = 16;
    const [low, high] = [-5, 6];
    const spacing = (high - low) / points;
    const place = (k: number) => low + (k + 0.5) * spacing;
    let total = 0;
    const executable = await compiled.compile(
      operationProgram(tiny.model.operations.find(({ name }) => name === 'log_prob')!, tiny.variables),
      points ** 3,
    );
    for (let first = 0; first < points; first++) {
      const x = new Float32Array(points ** 3 * 4);
      for (let i = 0; i < points ** 3; i++) {
        x.set([first, Math.floor(i / points ** 2), Math.floor(i / points) % points, i % points].map(place), 4 * i);
      }
      const { log_prob } = await executable.run({ x: float32([points ** 3, 2, 2, 1], x) }, tiny.state);
      for (const value of log_prob!.data) total += Math.exp(value) * spacing ** 4;
    }
    await executable.close();
    expect(total).toBeGreaterThan(0.99);
    expect(total).toBeLessThan(1.01);
  });

  test('of levels is that of the dequantised picture, less log 256 for each pixel', async () => {
    const quantised = flowSubject(glow, settings, imageDomain(4, 4, 256), 0.1);
    const [x, u] = [pictures(3), uniforms(3)];
    const { log_prob } = await runFlow(quantised, 'log_prob', { x, dequantisation: u });
    const dequantised = x.data.map((value, i) => (255 * value + u.data[i]!) / 256);
    const continuous = await runFlow(subject, 'log_prob', { x: float32(x.shape, dequantised) });
    log_prob!.data.forEach((value, row) => {
      expect(value).toBeCloseTo(continuous.log_prob!.data[row]! - 16 * Math.log(256), 2);
    });
    expect(quantised.model.likelihood).toMatchObject({ kind: 'bound', dimensions: 16 });
    expect(subject.model.likelihood).toMatchObject({ kind: 'exact', dimensions: 16 });
  });

  test('sums to at most one over the levels: a bin has the mean of the density over it', async () => {
    // Four pixels of two levels, the mean over the four corners' bins by a grid of noise within each.
    const binary = flowSubject(glow, { levels: 1, steps: 1, width: 3 }, imageDomain(2, 2, 2), 0.2);
    const points = 6;
    const grid = points ** 4;
    const u = new Float32Array(grid * 4);
    for (let i = 0; i < grid; i++) {
      u.set(
        [0, 1, 2, 3].map(axis => ((Math.floor(i / points ** axis) % points) + 0.5) / points),
        4 * i,
      );
    }
    const x = Float32Array.from({ length: 16 * u.length }, (_, i) => (Math.floor(i / u.length) >> (i % 4)) & 1);
    const noise = new Float32Array(x.length);
    for (let code = 0; code < 16; code++) noise.set(u, code * u.length);
    const shape = [16 * grid, 2, 2, 1];
    const feeds = { x: float32(shape, x), dequantisation: float32(shape, noise) };
    const { log_prob } = await runFlow(binary, 'log_prob', feeds, compiled);
    const total = Array.from(log_prob!.data).reduce((sum: number, value: number) => sum + Math.exp(value) / grid, 0);
    // What is missing to one is the flow's mass outside the unit cube.
    const inside = await massInUnitCube(
      flowSubject(glow, { levels: 1, steps: 1, width: 3 }, imageDomain(2, 2, 0), 0.2),
    );
    expect(total).toBeLessThan(1);
    expect(Math.abs(total / inside - 1)).toBeLessThan(0.01);
  });
});

async function massInUnitCube(subject: FlowSubject): Promise<number> {
  const points = 12;
  const x = Float32Array.from({ length: points ** 4 * 4 }, (_, i) => {
    const [index, axis] = [Math.floor(i / 4), i % 4];
    return ((Math.floor(index / points ** axis) % points) + 0.5) / points;
  });
  const { log_prob } = await runFlow(subject, 'log_prob', { x: float32([points ** 4, 2, 2, 1], x) }, compiled);
  return Array.from(log_prob!.data).reduce((sum: number, value: number) => sum + Math.exp(value) / points ** 4, 0);
}

describe('the operations of Glow', () => {
  const subject = flowSubject(glow, { ...settings, steps: 1 }, imageDomain(4, 4, 256), 0.1);
  const x = pictures(5);

  test('decode what they encode, to 1e-4', async () => {
    const codes = await runFlow(subject, 'encode', { x });
    const { x: back } = await runFlow(subject, 'decode', codes);
    expect(greatestDifference(back!.data, x.data)).toBeLessThan(1e-4);
    const { y } = await runFlow(subject, 'reconstruct', { x });
    expect(greatestDifference(y!.data, x.data)).toBeLessThan(1e-4);
  });

  test('have a latent for each level: what leaves first, and the rest', async () => {
    const codes = await runFlow(subject, 'encode', { x });
    expect(codes.z1!.shape).toEqual([5, 2, 2, 2]);
    expect(codes.z2!.shape).toEqual([5, 1, 1, 8]);
    const encode = subject.model.operations.find(({ name }) => name === 'encode')!;
    expect(encode.outputs.map(({ name, level }) => [name, level])).toEqual([
      ['z1', 1],
      ['z2', 2],
    ]);
  });

  test('multiply noise by the temperature of its row', async () => {
    const noise = (factor: number) => ({
      z1: float32(
        [2, 2, 2, 2],
        normals('z1', [16]).map(value => 0.1 * value * factor),
      ),
      z2: float32(
        [2, 1, 1, 8],
        normals('z2', [16]).map(value => 0.1 * value * factor),
      ),
    });
    const cool = await runFlow(subject, 'sample', { ...noise(1), temperature: float32([2], [0.5, 0.5]) });
    const half = await runFlow(subject, 'sample', noise(0.5));
    expect(greatestDifference(cool.x!.data, half.x!.data)).toBeLessThan(1e-6);
  });

  test('are the same exported, at any batch, with inverses and products stored instead of computed', async () => {
    const programs = subject.model.operations.map(operation => operationProgram(operation, subject.variables));
    const { operations, weights } = exportOperations(programs, subject.state);
    for (const { name, model, operators } of operations) {
      expect(operators, name).not.toContain('Gemm');
      expect(operators, name).not.toContain('MatMul');
      const session = await createSession(model, { weights, threads: 1 });
      for (const batch of [1, 2, 7]) {
        const feeds = feedsOf(subject, name, batch);
        const expected = await runFlow(subject, name, feeds, eagerEngine());
        const found = await session.run(feeds);
        for (const [output, { data }] of Object.entries(expected)) {
          const magnitude = Array.from(data).reduce(
            (most: number, value: number) => Math.max(most, Math.abs(value)),
            1,
          );
          expect(greatestDifference(found[output]!.data, data) / magnitude, `${name} ${output}`).toBeLessThan(1e-5);
        }
      }
      await session.close();
    }
  });

  test('refuse pictures that cannot be halved as often as there are levels', () => {
    const build = () => glow.build(glow.configuration.parse({ levels: 3 }), imageDomain(28, 28, 256), new Scope());
    expect(build).toThrow(expect.objectContaining({ field: 'configuration.levels' }));
  });
});

function feedsOf(subject: FlowSubject, name: string, batch: number): Tensors {
  const operation = subject.model.operations.find(each => each.name === name)!;
  return Object.fromEntries(
    operation.inputs.map(({ name: input, role, shape = [] }) => {
      if (role === 'data') return [input, pictures(batch, 3)];
      if (input === 'dequantisation') return [input, uniforms(batch, 3)];
      if (role === 'temperature') return [input, float32([batch], new Float32Array(batch).fill(0.7))];
      return [input, float32([batch, ...shape], normals(input, [batch, ...shape]))];
    }),
  );
}

describe('training Glow', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true }))));
  const dataset = blobDataset(8);
  const run = async (name: string, engine = compiled, steps = 3) => {
    const runs = await mkdtemp(join(tmpdir(), 'genserve-glow-'));
    folders.push(runs);
    const training = { batch: 16, evaluationRows: 8, schedule: { warmUpSteps: 0, decayFrom: 1 } };
    const { folder } = await train({
      family: glow,
      data: dataset,
      configuration: { levels: 2, steps: 1, width: 4 },
      training,
      steps,
      engine,
      runs,
      name,
    });
    return { folder, runs };
  };

  test('starts from the statistics of the first batch, the same in both engines', async () => {
    const states = [];
    for (const engine of [compiled, eagerEngine()]) {
      const { folder } = await run('start', engine, 1);
      states.push((await latestCheckpoint(runPaths(folder).checkpoints))!.state);
    }
    const [a, b] = states as [(typeof states)[0], (typeof states)[0]];
    for (const [name, values] of a) expect(greatestDifference(values, b.get(name)!), name).toBeLessThan(1e-3);
    // Uniform noise on [-1/2, 1/2] has a deviation of 0.29: a scale of 3.5, which is exp(3 log_scale).
    expect(a.get('level1/step1/actnorm/log_scale')![0]).toBeCloseTo(Math.log(3.46) / 3, 1);
    expect(a.get('average/level1/step1/actnorm/log_scale')![0]).toBeCloseTo(Math.log(3.46) / 3, 1);
  });

  test('ends in a bundle that verifies, scores in bits per dimension and comes back from its codes', async () => {
    const { folder, runs } = await run('bundle');
    expect((await readRunRecord(folder)).training.optimiser.name).toBe('adamax');
    const published = await exportBundle(folder, {
      out: join(runs, 'models'),
      name: 'tiny-glow',
      dataset,
      family: glow,
      calibrationRows: 8,
      evaluation: { rows: 8, k: 2 },
    });
    expect(await verify(published.folder, { threads: 1 })).toMatchObject({ name: 'tiny-glow', passed: true });
    const { bits_per_dim } = Object.fromEntries(
      Object.entries(published.manifest.provenance!.metrics).map(([name, value]) => [name.replace('test.', ''), value]),
    );
    // Uniform noise of 256 levels holds 8 bits; three steps do not find that out.
    expect(bits_per_dim).toBeGreaterThan(7.9);
    expect(bits_per_dim).toBeLessThan(12);
    const generator = await openGenerator(published.folder, { threads: 1 });
    const { data } = await dataset.test.read([0, 1]);
    const rows = float32([2, 8, 8, 1], data);
    const codes = await generator.encode(rows);
    expect(Object.keys(codes)).toEqual(['z1', 'z2']);
    const decoded = await generator.decode(codes);
    await generator.close();
    const nearest = data.map(value => Math.round(255 * value) / 255);
    expect(greatestDifference(decoded.data.data, nearest)).toBeLessThan(1e-4);
  }, 180_000);

  test('has a warm-up by default: without one it sticks in a poor minimum', () => {
    const { schedule } = trainingSettings.parse({ ...glow.training });
    expect(schedule.warmUpSteps).toBeGreaterThanOrEqual(500);
  });
});

describe('the preset "small"', () => {
  test('takes at most 4 MB on MNIST at half precision', () => {
    const subject = flowSubject(glow, glow.presets.small!, imageDomain(28, 28, 256));
    expect(halfPrecisionBytes(subject)).toBeLessThan(4e6);
  });
});
