import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledEngine } from '../engine/compiled.js';
import { evaluate } from '../evaluate/evaluate.js';
import { outputRows } from '../evaluate/operation-rows.js';
import { openJudge } from '../evaluate/samples/judge.js';
import { SampleCurve } from '../evaluate/samples/sample-curve.js';
import { mean } from '../evaluate/summary.js';
import { exportBundle } from '../export/export-bundle.js';
import { openGenerator } from '../export/open.js';
import { bandDataset, bandSide } from '../testing/bands.js';
import { resume, train } from './train.js';

const dataset = bandDataset();
const engine = compiledEngine({ threads: 1 });

describe('a run whose samples a classifier judges', () => {
  let folder: string;
  let classifier: string;
  const figures: Readonly<Record<string, number>>[] = [];
  const gan = (name: string, steps: number) => ({
    ...{ family: 'ac-gan', data: dataset, runs: folder, name, steps, engine, classifier },
    configuration: { latent: 4, width: 6, hidden: 16, levels: 1 },
    training: { batch: 30, optimiser: { learningRate: 2e-3 }, parameterAverage: 0.9, evaluateEvery: 60 },
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'genserve-run-classifier-'));
    const judge = await train({
      ...{ family: 'classifier', data: dataset, runs: folder, name: 'judge', steps: 100, engine },
      configuration: { convolutions: [{ channels: 4, stride: 2 }], features: 16, dropout: 0.2 },
      training: { batch: 15, schedule: { warmUpSteps: 0 }, optimiser: { learningRate: 1e-2 }, evaluationRows: 30 },
    });
    classifier = (await exportBundle(judge.folder, { out: join(folder, 'models'), dataset })).folder;
    await train({ ...gan('gan', 180), callbacks: [{ onEvaluate: ({ metrics }) => void figures.push(metrics) }] });
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('has them in its curves: nearer to the data as it learns, and in the end than noise is', async () => {
    const { domain, calibration } = dataset;
    const judge = await openJudge(classifier, domain, { threads: 1 });
    const curve = await SampleCurve.create(calibration, { judge, domain, count: 30, seed: 0 });
    const noise = { seed: 1, name: 'noise', distribution: 'uniform', shape: [bandSide ** 2], count: 30 } as const;
    const drawn = await curve.figures({ count: 30, width: bandSide ** 2, data: fillNoise(noise) });
    await curve.close();
    expect(figures).toHaveLength(3);
    const [first, last] = [figures[0]!, figures[2]!];
    expect(last.frechet_distance).toBeLessThan(drawn.frechet_distance!);
    expect(last.frechet_distance).toBeLessThan(0.7 * first.frechet_distance!);
    // Of groups of three rows: no more than chance.
    expect(Math.abs(last.kernel_distance!)).toBeLessThan(4 * last.kernel_distance_standard_error!);
    expect(last.classifier_score).toBeGreaterThan(first.classifier_score!);
    expect(last.class_accuracy).toBe(1);
  });

  it('names the classifier and its hash in its record, its log and its report', async () => {
    const { name, hash, close } = await openJudge(classifier, dataset.domain);
    await close();
    const { record, log, report } = {
      record: JSON.parse(await readFile(join(folder, 'gan/run.json'), 'utf8')),
      log: JSON.parse((await readFile(join(folder, 'gan/log.jsonl'), 'utf8')).split('\n')[0]!),
      report: await readFile(join(folder, 'gan/report.html'), 'utf8'),
    };
    expect(record.classifier).toEqual({ folder: classifier, name, sha256: hash });
    expect(log.classifier).toEqual({ name, sha256: hash });
    expect(report).toContain(hash.slice(0, 16));
    expect(report).toContain('kernel distance');
  });

  it('is measured anew from its bundle, by what its samples teach and by its own critic too', async () => {
    const out = join(folder, 'models');
    const gan = (await exportBundle(join(folder, 'gan'), { out, dataset })).folder;
    const options = { metric: 'samples', classifier, ganTrainSteps: 60, limit: 60, threads: 1 } as const;
    const { metrics, context } = await evaluate(gan, dataset, { ...options, out: join(folder, 'sheets') });
    expect(metrics).toMatchObject({ 'real.gan_test_accuracy': 1, 'images.labels-by-noise': 100 });
    expect(metrics.gan_test_accuracy).toBeGreaterThan(0.9);
    expect(metrics.gan_train_accuracy).toBeGreaterThan(0.9 * metrics['real.gan_train_accuracy']!);
    const generator = await openGenerator(gan, { threads: 1 });
    const score = async (data: Float32Array, count: number) => {
      const rows = Float32Array.from(data);
      const { data: scores } = await outputRows(generator, { name: 'critic', role: 'score' }, rows, count);
      return mean(scores);
    };
    const label = Array.from({ length: 60 }, (_, row) => row % 3);
    const { data: drawn } = await generator.sample({ count: 60, label, seed: 0 });
    const { data: held } = await dataset.test.read([...new Array(30).keys()]);
    const expected = (await score(drawn.data as Float32Array, 60)) - (await score(held, 30));
    await generator.close();
    expect(Math.abs(metrics.critic_loss! - expected)).toBeLessThan(0.01);
    expect(metrics['real.critic_loss']).not.toBe(metrics.critic_loss);
    expect(context).toMatchObject({ gan_train_samples: 60, gan_train_real_rows: 60, gan_train_test_rows: 30 });
    expect(context.bundle_sha256).toMatch(/^[0-9a-f]{64}$/);
  }, 60_000);

  it('goes on without that curve where the classifier is gone, and says so', async () => {
    const stop = new AbortController();
    await train({ ...gan('left', 20), signal: stop.signal, callbacks: [{ onStepEnd: () => stop.abort() }] });
    await rename(classifier, `${classifier}-away`);
    const warnings: string[] = [];
    const found: object[] = [];
    const callbacks = [
      { onWarning: (text: string) => void warnings.push(text) },
      { onEvaluate: ({ metrics }: { readonly metrics: object }) => void found.push(metrics) },
    ];
    const { finished } = await resume(join(folder, 'left'), { dataset, engine, callbacks });
    await rename(`${classifier}-away`, classifier);
    expect(finished).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('samples are not judged')]);
    expect(found.at(-1)).not.toHaveProperty('kernel_distance');
  });

  it('takes no classifier of other classes, nor of the same in another order', async () => {
    const image = dataset.domain.image!;
    for (const labels of [['x', 'y', 'z'], [...image.labels].reverse()]) {
      const refused = openJudge(classifier, { image: { ...image, labels } });
      await expect(refused).rejects.toMatchObject({ reason: 'INVALID_ARGUMENT', field: 'classifier' });
      await expect(refused).rejects.toThrow(`where the model knows ${labels.join(', ')}`);
    }
    const unlabelled = await openJudge(classifier, { image: { ...image, labels: [] } });
    await unlabelled.close();
  });

  it('must draw samples, of the shape that the classifier knows', async () => {
    const wrong = { reason: 'INVALID_ARGUMENT', field: 'classifier' };
    const other = train({ ...gan('other', 1), classifier: 'models/mnist-classifier/1' });
    await expect(other).rejects.toMatchObject(wrong);
    const itself = { ...gan('itself', 1), family: 'classifier', configuration: {} };
    await expect(train(itself)).rejects.toMatchObject(wrong);
  });
});
