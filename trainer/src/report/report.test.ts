import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { createRunFolder, type RunRecord } from '../train/run-folder.js';
import { trainingSettings } from '../train/settings.js';
import { chart, ticks } from './chart.js';
import { readHistory } from './history.js';
import { writeReport } from './write-report.js';

const root = mkdtempSync(join(tmpdir(), 'genserve-report-'));
afterAll(() => rmSync(root, { recursive: true }));

const record: RunRecord = {
  format: 1,
  id: 'a-run',
  created: '2030-01-02T03:04:05Z',
  family: 'vae',
  preset: 'small',
  configuration: { latent: 3, title: '<script>alert(1)</script>' },
  training: trainingSettings.parse({ batch: 4, optimiser: { learningRate: 1e-3 }, parameterAverage: 0 }),
  data: { name: 'mnist', sha256: '0'.repeat(64), summary: '10 images', split: 'train 8, calibration 1, test 1' },
  domain: { image: { height: 2, width: 2, channels: 1, levels: 2, binarisation: 'dynamic', polarity: '', labels: [] } },
  seed: 7,
  budget: { steps: 30 },
  versions: { genserve: '0.1.0' },
  command: 'genserve train',
};

const step = (at: number, loss: number) =>
  JSON.stringify({ event: 'step', step: at, metrics: { loss, kl: 2 }, elapsedSeconds: at, imagesPerSecond: 5 });
const begin = (startStep: number) => JSON.stringify({ event: 'begin', startStep, engine: 'test', parameters: 11 });

/** A run that was killed in the middle of a line after step 20 and went on from its checkpoint at step 10. */
async function killedAndResumed(name: string): Promise<string> {
  const folder = join(root, name);
  await createRunFolder(folder, record);
  const png = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  writeFileSync(join(folder, 'samples', '10.png'), png);
  const figures = { nll_nats: 99.5, kl: 2.5, kernel_distance: 0.31, kernel_distance_standard_error: 0.04 };
  const evaluate = { event: 'evaluate', step: 10, metrics: figures, samples: 'samples/10.png' };
  const lines = [begin(0), step(10, 5), JSON.stringify(evaluate), step(20, 4), '{"event":"ste'];
  const after = [
    begin(10),
    step(20, 3),
    step(30, 1),
    JSON.stringify({ event: 'end', step: 30, elapsedSeconds: 31, finished: true }),
  ];
  writeFileSync(join(folder, 'log.jsonl'), `${lines.join('\n')}\n${after.join('\n')}\n`);
  return folder;
}

describe('history', () => {
  it('counts once what a resumed run did twice, and passes over a line that was cut short', async () => {
    const history = await readHistory(await killedAndResumed('history'));
    expect(history.training.get('loss')).toEqual([
      { step: 10, value: 5 },
      { step: 20, value: 3 },
      { step: 30, value: 1 },
    ]);
    expect(history).toMatchObject({ step: 30, seconds: 31, finished: true, parameters: 11 });
  });
});

describe('report', () => {
  it('is one file that needs no other and shows figures, curves and samples', async () => {
    const html = readFileSync(await writeReport(await killedAndResumed('whole')), 'utf8');
    expect(html).not.toMatch(/<(script|link)\b|src="(?!data:)|url\((?!#)|https?:\/\//);
    expect(html).toContain('data:image/png;base64,');
    expect(html).toContain('<b>99.5</b>nll nats, held out');
    // The loss and the likelihood in one chart, kl of training and of held-out rows in another, the distance in a third.
    expect(html.match(/<figure class="(wide|half|third)"/g)).toHaveLength(3);
    expect(html.match(/<polyline/g)).toHaveLength(5);
    expect(html).toContain('<b>0.31 ± 0.04</b>kernel distance, held out');
    expect(html).toContain('finished');
    expect(html).toContain('&lt;script&gt;alert(1)');
  });

  it('can be written before the first step', async () => {
    const folder = join(root, 'empty');
    await createRunFolder(folder, record);
    expect(readFileSync(await writeReport(folder), 'utf8')).toContain('unfinished');
  });
});

describe('chart', () => {
  it('draws a series to scale: half the value is half as high', () => {
    const points = [0, 50, 100].map(value => ({ step: value, value }));
    const svg = chart('x', [{ name: 'x', points }], 'wide');
    const [first, middle, last] = /points="([^"]+)"/
      .exec(svg)![1]!
      .split(' ')
      .map(pair => pair.split(',').map(Number));
    expect(middle![0]! * 2).toBeCloseTo(first![0]! + last![0]!, 0);
    expect(middle![1]! * 2).toBeCloseTo(first![1]! + last![1]!, 0);
    expect(last![1]!).toBeLessThan(first![1]!);
  });
  it('keeps to a few hundred points and shows a constant', () => {
    const points = Array.from({ length: 50_000 }, (_, i) => ({ step: i, value: 3 }));
    const svg = chart('x', [{ name: 'x', points }], 'third');
    expect(/points="([^"]+)"/.exec(svg)![1]!.split(' ')).toHaveLength(400);
    expect(svg).not.toContain('NaN');
  });
  it('ticks at round numbers', () => {
    expect(ticks(0, 100)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(ticks(93, 118)).toEqual([95, 100, 105, 110, 115]);
  });
});
