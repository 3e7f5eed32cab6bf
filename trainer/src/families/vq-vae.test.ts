import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BundleGenerator, findOperation } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { eagerEngine } from '../engine/eager.js';
import type { State } from '../engine/program.js';
import { evaluate } from '../evaluate/evaluate.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { bandDataset, bandSide } from '../testing/bands.js';
import { flowSubject, greatestDifference, halfPrecisionBytes, imageDomain } from '../testing/flows.js';
import { compiledAgainstEager, runRounds } from '../testing/rounds.js';
import { latestCheckpoint } from '../train/checkpoint.js';
import { runPaths } from '../train/run-folder.js';
import { resume, train } from '../train/train.js';
import { vqVae } from './vq-vae.js';

const tiny = {
  ...{ channels: 8, levels: 1, blocks: 1, blockChannels: 4, codes: 6, dimensions: 4 },
  prior: { channels: 12, layers: 1, size: 3, firstSize: 3, head: 12 },
  labelDropout: 0,
  firstStage: 0.5,
};
const options = { family: vqVae, settings: tiny, domain: imageDomain(9, 7, 256, 2), batch: 5 };

describe('a training step of VQ-VAE', () => {
  it('equals tfjs on its cpu backend: networks, commitment and codebook after two rounds', async () => {
    expect((await compiledAgainstEager(options, 2)).difference).toBeLessThan(1e-3);
  });

  it('is the reconstruction plus beta times the commitment, and moves encoder, decoder and codebook alone', async () => {
    const { states, outputs } = await runRounds(
      { ...options, settings: { ...tiny, commitment: 0.5 } },
      eagerEngine(),
      1,
    );
    const { loss, reconstruction, commitment, perplexity } = outputs[0]!.values;
    expect(loss!.data[0]).toBeCloseTo(reconstruction!.data[0]! + 0.5 * commitment!.data[0]!, 5);
    expect(perplexity!.data[0]).toBeGreaterThanOrEqual(1);
    expect(perplexity!.data[0]).toBeLessThanOrEqual(6);
    expect(movedNetworks(states[0]!.state, states[1]!.state)).toEqual(
      new Set(['encoder', 'decoder', 'codebook', 'autoencoder']),
    );
  });

  it('reaches the encoder through the codes: without commitment, straight through', async () => {
    const { states } = await runRounds({ ...options, settings: { ...tiny, commitment: 0 } }, eagerEngine(), 1);
    expect(movedNetworks(states[0]!.state, states[1]!.state)).toContain('encoder');
  });
});

/** The networks, or optimisers by their steps' names, of which anything differs. */
function movedNetworks(before: State, after: State): Set<string> {
  const moved = [...before.keys()].filter(name => greatestDifference(before.get(name)!, after.get(name)!) > 0);
  return new Set(moved.map(name => name.split('/')[0]!));
}

describe('the preset "small" on Fashion-MNIST', () => {
  it('is at most 4 MB in float16, its codes a map of 7x7', () => {
    const labels = Array.from({ length: 10 }, (_, k) => String(k));
    const subject = flowSubject(vqVae, {}, { image: { ...imageDomain(28, 28, 256).image!, labels } });
    expect(halfPrecisionBytes(subject)).toBeLessThan(4e6);
    const encode = subject.model.operations.find(({ name }) => name === 'encode')!;
    expect(encode.outputs).toEqual([{ name: 'codes', role: 'codes', dtype: 'int32', shape: [7, 7], limit: 128 }]);
  });
});

/** Data whose class is the third of the picture that is bright: see testing/bands.ts. */
describe('a VQ-VAE of three classes, trained in two stages', () => {
  const dataset = bandDataset();
  const steps = 400;
  /** After the first and the last step of the prior's stage. */
  const states: State[] = [];
  let folder: string;
  let bundle: string;
  let generator: BundleGenerator;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'genserve-vq-vae-'));
    const engine = compiledEngine({ threads: 1 });
    const halfway = new AbortController();
    const run = await train({
      family: 'vq-vae',
      data: dataset,
      configuration: tiny,
      training: {
        ...{ batch: 30, optimiser: { learningRate: 4e-3 }, optimisers: { prior: { learningRate: 2e-2 } } },
        ...{ parameterAverage: 0.9, evaluationRows: 30 },
      },
      steps,
      engine,
      runs: folder,
      name: 'run',
      signal: halfway.signal,
      callbacks: [{ onStepEnd: ({ step }) => void (step === steps / 2 + 1 && halfway.abort()) }],
    });
    const saved = async () => (await latestCheckpoint(runPaths(run.folder).checkpoints))!.state;
    states.push(await saved());
    await resume(run.folder, { dataset, engine });
    states.push(await saved());
    bundle = (await exportBundle(run.folder, { out: join(folder, 'models'), name: 'bands', dataset })).folder;
    generator = await openGenerator(bundle);
  });
  afterAll(async () => {
    await generator.close();
    await rm(folder, { recursive: true, force: true });
  });

  const testRows = async (count: number) => {
    const { data } = await dataset.test.read([...new Array(count).keys()]);
    return { dtype: 'float32', shape: [count, bandSide, bandSide, 1], data } as const;
  };

  /** The brightest third of each picture. */
  function brightest(pictures: ArrayLike<number>): number[] {
    const third = bandSide ** 2 / 3;
    return Array.from({ length: pictures.length / (3 * third) }, (_, row) => {
      const sums = [0, 1, 2].map(band => {
        const from = (3 * row + band) * third;
        return Array.from({ length: third }, (_, i) => pictures[from + i]!).reduce((sum, value) => sum + value, 0);
      });
      return sums.indexOf(Math.max(...sums));
    });
  }

  it('freezes the first while the second trains, to the bit: weights, codebook and its counts', () => {
    const [first, last] = [states[0]!, states[1]!];
    // Averages and optimisers of the first stage as well.
    const frozen = [...first.keys()].filter(name => !/(^|\/)prior(\/|$)/.test(name));
    expect(frozen).toEqual(expect.arrayContaining(['codebook/count', 'codebook/sum', 'encoder/output/filter']));
    for (const name of frozen) expect(last.get(name), name).toEqual(first.get(name));
    expect(movedNetworks(first, last)).toContain('prior');
  });

  it('reconstructs through its codes: decode(encode(x)) is reconstruct(x), and like x', async () => {
    const x = await testRows(12);
    const codes = await generator.encode(x);
    expect(codes.codes).toMatchObject({ dtype: 'int32', shape: [12, 5, 5] });
    expect([...codes.codes!.data].every(code => code >= 0 && code < 6)).toBe(true);
    const { data } = await generator.reconstruct(x);
    expect(greatestDifference((await generator.decode(codes)).data.data, data.data)).toBeLessThan(1e-5);
    expect(brightest(data.data)).toEqual(brightest(x.data));
  });

  it('draws the class that it is told, the same whatever it is drawn beside', async () => {
    const label = Array.from({ length: 60 }, (_, row) => row % 3);
    const { data } = await generator.sample({ count: 60, seed: 1, label });
    const hits = brightest(data.data).filter((band, row) => band === label[row]).length;
    expect(hits).toBeGreaterThanOrEqual(54);
    const alone = await generator.sample({ count: 1, firstIndex: 17, seed: 1, label: label[17] });
    expect(alone.data.data).toEqual(data.data.subarray(17 * 81, 18 * 81));
  });

  it('gives the likelihood of codes, higher for the label that is right', async () => {
    const { manifest } = generator;
    expect(manifest.likelihood).toMatchObject({ kind: 'codes', dimensions: 25 });
    const x = await testRows(9);
    const right = await generator.logLikelihood(x, { label: [0, 1, 2, 0, 1, 2, 0, 1, 2] });
    const wrong = await generator.logLikelihood(x, { label: [1, 2, 0, 1, 2, 0, 1, 2, 0] });
    for (const [row, value] of right.logProb.entries()) expect(value).toBeGreaterThan(wrong.logProb[row]!);
    expect(right.estimator).toBe('exact');
    // Bits of codes and bits of pictures are not subtracted from each other, and codes have no mean.
    const names = manifest.scores.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['negative-log-likelihood', 'reconstruction-error']));
    expect(names).not.toEqual(expect.arrayContaining(['input-complexity']));
    expect(names).not.toEqual(expect.arrayContaining(['mahalanobis']));
  });

  it('refuses codes that are not in its book', async () => {
    const codes = { dtype: 'int32', shape: [1, 5, 5], data: new Int32Array(25).fill(6) } as const;
    await expect(generator.decode({ codes })).rejects.toMatchObject({
      reason: 'INVALID_ARGUMENT',
      field: 'latents.codes',
      message: expect.stringContaining('from 0 to 5'),
    });
  });

  it('records golden codes of more than one kind for decode', () => {
    const { golden } = generator.manifest;
    expect(golden.map(({ operation }) => operation)).toEqual(['sample', 'decode', 'encode', 'reconstruct', 'log_prob']);
    const { values } = golden.find(({ operation }) => operation === 'decode')!;
    expect(new Set(values).size).toBeGreaterThan(4);
    expect(findOperation(generator.manifest, 'decode').inputs[0]!.limit).toBe(6);
  });

  it('has the perplexity of its codebook counted over held-out data', async () => {
    const { metrics, context } = await evaluate(bundle, dataset, { metric: 'codes' });
    const { codes } = await generator.encode(await testRows(30));
    const shares = Array.from({ length: 6 }, (_, code) => codes!.data.filter(each => each === code).length / (30 * 25));
    const entropy = -shares.filter(share => share > 0).reduce((sum, share) => sum + share * Math.log(share), 0);
    expect(metrics.codebook_perplexity).toBeCloseTo(Math.exp(entropy), 8);
    expect(metrics.codes_used).toBe(shares.filter(share => share > 0).length);
    expect(context).toMatchObject({ rows: 30, codebook: 6 });
  });
});
