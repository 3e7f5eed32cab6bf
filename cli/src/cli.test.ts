import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NoiseStream, writeNpy } from '@genserve/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { genserve, type Outcome, start, stopAll, temporaryFolder } from './testing/genserve.js';

const folder = temporaryFolder();
afterAll(() => {
  stopAll();
  return rm(folder, { recursive: true, force: true });
});

/** Half of 8x8 grey images are light on the left, half on the right. */
function images(count: number): Uint8Array {
  const values = new Float32Array(count * 64);
  new NoiseStream(1, 'images', 'uniform').fill(values, 0);
  const pixels = values.map((value, i) => Math.round(255 * (i % 8 < 4 === (Math.floor(i / 64) % 2 === 0) ? value : 0)));
  return writeNpy([count, 8, 8], Uint8Array.from(pixels));
}

const settings = [
  'latent=2',
  'hidden=[8]',
  'training.batch=16',
  'training.evaluationRows=16',
  'training.schedule.warmUpSteps=5',
];
const exporting = ['export.testRows=20', 'export.draws=4', 'export.calibrationRows=20'];
const sets = [...settings, ...exporting].flatMap(setting => ['--set', setting]);
const vae = ['--family', 'vae', '--data', 'images.npy', ...sets];

interface Score {
  readonly value: number;
  readonly p_value: number;
}

interface Figures {
  readonly metrics: Record<string, number>;
  readonly context: Record<string, unknown>;
}

/** All of standard output is one object. */
function figures({ stdout }: Outcome): Figures {
  return JSON.parse(stdout) as Figures; // looked at by the tests
}

let trained: Outcome;
beforeAll(async () => {
  writeFileSync(join(folder, 'images.npy'), images(200));
  trained = await genserve(folder, 'train', ...vae, '--threads', '1', '--steps', '40', '--name', 'tiny', '--json');
});

describe('genserve', () => {
  it('helps, with every command and the exit codes', async () => {
    const { code, stdout } = await genserve(folder, '--help');
    expect(code).toBe(0);
    for (const word of ['train', 'resume', 'batch', 'evaluate', 'sample', 'score', 'verify', 'serve', '130 CANCELLED'])
      expect(stdout).toContain(word);
  });

  it('makes an API key, says it once, and keeps its hash and rights', async () => {
    const { code, stdout } = await genserve(folder, 'key', 'camera', '--model', 'mnist-*', '--per-minute', '60');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^gs_[\w-]{43}\n$/);
    const file = readFileSync(join(folder, 'keys.json'), 'utf8');
    expect(JSON.parse(file)).toEqual({
      keys: [
        {
          name: 'camera',
          sha256: createHash('sha256').update(stdout.trim()).digest('hex'),
          models: ['mnist-*'],
          admin: false,
          requestsPerMinute: 60,
        },
      ],
    });
    expect((await genserve(folder, 'key', 'camera')).code).not.toBe(0);
  });

  it.concurrent.each([
    [['verfy'], 2, 'INVALID_ARGUMENT: unknown command', 'verify'],
    [['train', '--famly', 'vae'], 2, 'INVALID_ARGUMENT: unknown option', '--family'],
    [['train', '--family', 'vae', '--data', 'images.npy', '--steps', '0'], 2, 'INVALID_ARGUMENT', 'positive integer'],
    [
      ['train', '--family', 'vae', '--data', 'mnits', '--steps', '1'],
      2,
      'INVALID_ARGUMENT: data',
      'did you mean "mnist"',
    ],
    [
      ['train', ...vae, '--steps', '1', '--set', 'latnt=3'],
      3,
      'CONFIGURATION_INVALID: configuration.latnt',
      '"latent"',
    ],
    [
      ['train', ...vae, '--steps', '1', '--set', 'training.bach=3'],
      3,
      'CONFIGURATION_INVALID: training.bach',
      '"batch"',
    ],
    [['train', ...vae, '--steps', '1', '--set', 'data.sise=3'], 3, 'CONFIGURATION_INVALID: data.sise', '"size"'],
    [['train', ...vae], 2, 'INVALID_ARGUMENT: steps', 'give a budget: steps, minutes'],
    [['inspect', 'nothing'], 6, 'MODEL_NOT_FOUND', 'models/ has tiny'],
    [['sample', 'tiny', '--out', 'x.png', '--label', '3'], 7, 'OPERATION_UNSUPPORTED', 'without classes'],
    [['sample', 'tiny', '--out', 'x.txt'], 2, 'INVALID_ARGUMENT: out', '.npz'],
    [['score', 'tiny', 'mnist', '--out', 'x.csv'], 2, 'INVALID_ARGUMENT: data', '[28,28,1]'],
    [
      ['train', ...vae, '--steps', '1', '--engine', 'eager', '--backend', 'tensorflow'],
      9,
      'BACKEND_UNAVAILABLE: backend',
      'npm install @tensorflow/tfjs-node-gpu',
    ],
    [['train', ...vae, '--steps', '1', '--backend', 'cpu'], 2, 'INVALID_ARGUMENT: backend', '--device'],
    [['evaluate', 'tiny', '--data', 'images.npy', '--threads', '1'], 2, 'INVALID_ARGUMENT: threads', '--protocol'],
    [['resume', 'runs/none'], 2, 'INVALID_ARGUMENT: run', 'runs/none'],
    [
      ['export', 'runs/tiny', '--ensemble', 'runs/tiny'],
      2,
      'INVALID_ARGUMENT: ensemble',
      'they are one model, not two',
    ],
  ])('says of %j what is wrong and what would be right, with exit code %i', async (words, code, reason, hint) => {
    const outcome = await genserve(folder, ...words);
    expect(outcome.stderr).toContain(reason);
    expect(outcome.stderr).toContain(hint);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout).toBe('');
  });
});

describe('genserve train', () => {
  it('makes a run and a bundle, progress apart from figures', () => {
    expect(trained.stderr).toMatch(/step 40\/40 {2}loss [\d.]+ {2}[\d,]+ images\/s {2}0:00 left/);
    expect(trained.code).toBe(0);
    const { metrics, context } = figures(trained);
    expect(metrics).toMatchObject({ 'train.steps': 40, 'test.rows': 20, 'test.k': 4 });
    expect(metrics['test.nll_nats']).toBeGreaterThan(0);
    expect(context).toMatchObject({ run: 'runs/tiny', bundle: 'models/tiny/1', finished: true, seed: 0 });
    expect(context.machine).toMatchObject({ node: process.versions.node });
    for (const file of ['runs/tiny/report.html', 'models/tiny/1/manifest.json', 'models/tiny/1/report.html'])
      expect(existsSync(join(folder, file)), file).toBe(true);
  });

  it('lays --set over --config, and --config over the preset', async () => {
    const recipe = [
      'family: vae',
      'data: images.npy',
      'steps: 3',
      'seed: 9',
      'configuration: {latent: 3, hidden: [4]}',
    ];
    writeFileSync(join(folder, 'recipe.yaml'), `${recipe.join('\n')}\ntraining: {batch: 8}\n`);
    const words = ['--config', 'recipe.yaml', '--set', 'latent=5', '--steps', '2', '--name', 'laid', '--no-export'];
    expect((await genserve(folder, 'train', ...words)).code).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, 'runs/laid/run.json'), 'utf8'))).toMatchObject({
      configuration: { latent: 5, hidden: [4], activation: 'elu' },
      training: { batch: 8 },
      seed: 9,
      budget: { steps: 2 },
    });
    expect(existsSync(join(folder, 'models/laid'))).toBe(false);
  });

  it('names an unknown key of a recipe file, and the nearest known one', async () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'family: vae\ndta: mnist\n');
    const { code, stderr } = await genserve(folder, 'train', '--config', 'wrong.yaml', '--steps', '1');
    expect(stderr).toContain('wrong.yaml.dta: there is no such setting; did you mean "data"?');
    expect(code).toBe(3);
  });

  it('saves a checkpoint at Ctrl-C, says how to go on, and goes on', async () => {
    const run = start(folder, 'train', ...vae, '--steps', '100000', '--threads', '1', '--name', 'long', '--no-export');
    await run.says(/runs\/long: .* parameters/);
    await new Promise(resolve => setTimeout(resolve, 300));
    run.process.kill('SIGINT');
    const stopped = await run.ended;
    expect(stopped.stderr).toContain('go on with: genserve resume runs/long');
    expect(stopped.code).toBe(130);
    const step = Number(/stopped at step ([\d,]+)/.exec(stopped.stderr)![1]!.replaceAll(',', ''));
    expect(step).toBeGreaterThan(0);
    const again = start(folder, 'resume', 'runs/long', '--threads', '1', '--no-export');
    await again.says(new RegExp(`going on from step ${step.toLocaleString('en-US')}`));
    again.process.kill('SIGINT');
    expect((await again.ended).code).toBe(130);
  });

  it('takes a loader in TypeScript', async () => {
    const loader = `
      import type { Dataset } from '@genserve/trainer';
      const part = (count: number) => ({
        count,
        read: async (indices: readonly number[]) => ({ data: new Float32Array(64 * indices.length).fill(0.5) }),
      });
      export function open(): Dataset {
        return {
          name: 'half', train: part(30), calibration: part(20), test: part(20), all: part(70), sha256: 'a'.repeat(64),
          domain: { image: { height: 8, width: 8, channels: 1, levels: 256, binarisation: 'none', polarity: 'light-on-dark', labels: [] } },
          licence: 'CC0-1.0', attribution: '', frequencies: [], summary: 'half grey', split: 'as made',
        };
      }`;
    writeFileSync(join(folder, 'loader.ts'), loader);
    const words = ['--family', 'vae', '--data', './loader.ts', ...sets, '--steps', '2', '--name', 'own', '--json'];
    const outcome = await genserve(folder, 'train', ...words);
    expect(outcome.stderr).not.toContain('INVALID');
    expect(figures(outcome).context).toMatchObject({ dataset: 'half', bundle: 'models/own/1' });
  });
});

describe('a family of the user', () => {
  const code = `
    import { tf, type Family, type Model, type Scope } from '@genserve/trainer';
    import { z } from 'zod';
    /** Independent pixels: each a Bernoulli variable of its own. */
    export const family: Family<{ scale: number }> = {
      name: 'pixels', paper: 'none', url: '', configuration: z.strictObject({ scale: z.number().default(1) }),
      presets: { plain: {} }, defaultPreset: 'plain',
      training: { batch: 16, optimiser: { name: 'adam', learningRate: 0.1 }, parameterAverage: 0 },
      build(configuration: { scale: number }, domain, scope: Scope): Model {
        const { height, width } = domain.image!;
        const shape = [height, width, 1];
        const logits = scope.parameter('logits', shape, () => new Float32Array(height * width));
        const logProb = (x: any) => tf.sum(tf.sub(tf.mul(x, logits.value), tf.softplus(logits.value)), [1, 2, 3]);
        const x = { name: 'x', role: 'data', shape };
        const noises = [{ name: 'pixels', distribution: 'uniform', shape }] as const;
        return {
          stages: [{ name: 'all', steps: [{ name: 'fit', parameters: [logits], noises: [],
            loss: ({ data }) => ({ loss: tf.neg(tf.mean(logProb(data))) }) }] }],
          operations: [
            { name: 'log_prob', inputs: [x], outputs: [{ name: 'log_prob', role: 'log_prob' }], run: i => ({ log_prob: logProb(i.x) }) },
            { name: 'sample', inputs: [{ name: 'pixels', role: 'noise', shape }], outputs: [x],
              run: i => ({ x: tf.cast(tf.less(i.pixels!, tf.sigmoid(logits.value)), 'float32') }) },
          ],
          noises, likelihood: { kind: 'exact', dimensions: height * width, measure: 'counting measure' }, conditions: [],
        };
      },
    };`;

  it('is trained, resumed, exported and sampled like one of ours', async () => {
    symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'pixels.ts'), code);
    const words = ['--family', './pixels.ts', '--data', 'images.npy', '--set', 'data.binarisation=threshold'];
    const run = [...words, '--steps', '5', '--name', 'pixels', '--threads', '1', '--no-export'];
    const first = await genserve(folder, 'train', ...run);
    expect(first.stderr).toContain('64 parameters');
    const resumed = await genserve(
      folder,
      'resume',
      'runs/pixels',
      '--test-rows',
      '5',
      '--calibration-rows',
      '10',
      '--json',
    );
    expect(figures(resumed).context).toMatchObject({ bundle: 'models/pixels/1', family: 'pixels' });
    expect((await genserve(folder, 'sample', 'pixels', '--count', '4', '--out', 'pixels.npz')).code).toBe(0);
  });

  it('hears what its module lacks', async () => {
    writeFileSync(join(folder, 'half.mjs'), 'export const family = { name: "half" };');
    const { code: exit, stderr } = await genserve(
      folder,
      'train',
      '--family',
      './half.mjs',
      '--data',
      'images.npy',
      '--steps',
      '1',
    );
    expect(stderr).toContain('its member configuration is undefined');
    expect(exit).toBe(2);
  });
});

describe('what is done with a bundle', () => {
  it('is exported again as the next version', async () => {
    const words = ['runs/tiny', '--name', 'again', '--test-rows', '5', '--calibration-rows', '10', '--json'];
    const versions = [await genserve(folder, 'export', ...words), await genserve(folder, 'export', ...words)];
    expect(versions.map(outcome => figures(outcome).context.bundle)).toEqual(['models/again/1', 'models/again/2']);
  });

  it('is inspected', async () => {
    const { metrics, context } = figures(await genserve(folder, 'inspect', 'models/tiny', '--json'));
    expect(metrics['operation.sample.parameters']).toBeGreaterThan(0);
    expect(context.manifest).toMatchObject({ name: 'tiny', version: 1, family: { name: 'vae' } });
    const { stdout } = await genserve(folder, 'inspect', 'tiny');
    expect(stdout).toContain('image 8x8x1, 2 levels (dynamic binarisation)');
  });

  it('is verified, and refused when one byte has changed', async () => {
    const whole = await genserve(folder, 'verify', 'tiny', '--json');
    expect(whole.code).toBe(0);
    expect(figures(whole).context.passed).toBe(true);
    const weights = join(folder, 'models/again/1/weights.bin');
    const bytes = readFileSync(weights);
    bytes[100]! ^= 1;
    writeFileSync(weights, bytes);
    const changed = await genserve(folder, 'verify', 'models/again/1');
    expect(changed.stderr).toContain('INTEGRITY_MISMATCH: weights.bin');
    expect(changed.code).toBe(5);
  });

  it('is calibrated on data of the user, as the next version', async () => {
    await genserve(folder, 'sample', 'models/again/2', '--count', '30', '--seed', '3', '--out', 'mine.npz');
    const words = ['models/again/2', '--data', 'mine.npz', '--json'];
    const { metrics, context } = figures(await genserve(folder, 'calibrate', ...words));
    expect(metrics['calibration.negative-log-likelihood.rows']).toBe(30);
    expect(context.bundle).toMatch(/models\/again\/3$/);
    const scored = await genserve(folder, 'score', 'models/again/3', 'mine.npz', '--out', 'mine.jsonl', '--json');
    expect(figures(scored).metrics.rows).toBe(30);
    const lines = readFileSync(join(folder, 'mine.jsonl'), 'utf8').trim().split('\n');
    const scores = lines.map(line => Object.values(JSON.parse(line).scores as Record<string, Score>)[0]!); // as written
    // These very rows calibrated it: p = (1 + how many score as high) / (n + 1).
    for (const { value, p_value } of scores)
      expect(p_value).toBeCloseTo((1 + scores.filter(other => other.value >= value).length) / 31, 9);
  });

  it('is evaluated to the very figures that its manifest states', async () => {
    const words = ['tiny', '--data', 'images.npy', '--limit', '20', '--k', '4', '--json'];
    const { metrics, context } = figures(await genserve(folder, 'evaluate', ...words));
    expect(metrics.nll_nats).toBeCloseTo(figures(trained).metrics['test.nll_nats']!, 9);
    expect(metrics.bits_per_dim).toBeCloseTo(metrics.nll_nats! / (64 * Math.LN2), 9);
    expect(context).toMatchObject({ rows: 20, k: 4, seed: 0, binarisation: 'dynamic' });
  });

  it('is sampled to files that are data again, the same for a seed', async () => {
    for (const out of ['a.npz', 'b.npz', 'sheet.png', 'drawn'])
      expect((await genserve(folder, 'sample', 'tiny', '--count', '9', '--seed', '5', '--out', out)).code).toBe(0);
    expect(readFileSync(join(folder, 'a.npz')).equals(readFileSync(join(folder, 'b.npz')))).toBe(true);
    expect(readFileSync(join(folder, 'sheet.png')).subarray(1, 4).toString()).toBe('PNG');
    expect(readdirSync(join(folder, 'drawn'))).toHaveLength(9);
    const { metrics, context } = figures(await genserve(folder, 'datasets', 'a.npz', '--json'));
    expect(metrics.train! + metrics.calibration! + metrics.test!).toBe(9);
    expect(context.domain).toMatchObject({ image: { height: 8, width: 8, channels: 1 } });
  });

  it('scores a folder, one line for each file, and leaves no half-written file', async () => {
    expect((await genserve(folder, 'sample', 'tiny', '--count', '12', '--seed', '1', '--out', 'normal')).code).toBe(0);
    const nll = ['--scores', 'negative-log-likelihood'];
    const outcome = await genserve(folder, 'score', 'tiny', 'normal', '--out', 'scores.jsonl', '--json', ...nll);
    const rows = readFileSync(join(folder, 'scores.jsonl'), 'utf8').trim().split('\n');
    expect(rows).toHaveLength(12);
    const parsed = rows.map(row => JSON.parse(row) as Record<string, unknown>); // looked at below
    expect(parsed.map(({ name }) => name)).toEqual(readdirSync(join(folder, 'normal')).sort());
    expect(parsed[0]).toMatchObject({
      row: 0,
      scores: { 'negative-log-likelihood': { decision: expect.any(String) } },
    });
    const { metrics } = figures(outcome);
    expect(metrics.rows).toBe(12);
    const mean = parsed.reduce((sum, { log_prob }) => sum - Number(log_prob), 0) / 12;
    expect(metrics.nll_nats).toBeCloseTo(mean, 9);

    await genserve(folder, 'score', 'tiny', 'images.npy', '--limit', '70', '--out', 'scores.csv', ...nll);
    const lines = readFileSync(join(folder, 'scores.csv'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(71);
    expect(lines[0]).toBe(
      'row,name,label,log_prob,bits_per_dim,negative-log-likelihood,negative-log-likelihood.p_value,negative-log-likelihood.decision',
    );
    expect(readdirSync(folder).filter(name => name.endsWith('.partial'))).toEqual([]);
  });

  it('is served until a signal', async () => {
    const server = start(folder, 'serve', '--http', '0', '--grpc', '0');
    await server.says(/genserve is running/);
    let said = '';
    server.process.stderr?.on('data', chunk => {
      said += chunk;
    });
    await server.says(/curl http/);
    server.process.kill('SIGTERM');
    const { code, stderr } = await server.ended;
    expect(stderr + said).toMatch(/genserve at http:\/\/127\.0\.0\.1:\d+, gRPC at 127\.0\.0\.1:\d+/);
    expect(code).toBe(0);
  });
});

describe('lists', () => {
  it('name families with presets, and data sets with their licence', async () => {
    const families = JSON.parse((await genserve(folder, 'families', '--json')).stdout) as { families: object[] };
    expect(families.families).toContainEqual(
      expect.objectContaining({ name: 'vae', defaultPreset: expect.any(String) }),
    );
    const { stdout } = await genserve(folder, 'datasets');
    expect(stdout).toMatch(/mnist .*60,000 train and 10,000 test \(CC-BY-SA-3\.0\)/);
  });
});
