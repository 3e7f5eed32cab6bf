// `genserve score` with a model whose likelihood takes a label.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Domain, float32, NoiseStream, writeNpy } from '@genserve/runtime';
import { openGenerator, rowWriter } from '@genserve/trainer';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ScoredRow } from './score-chunk.js';
import { genserve, stopAll, temporaryFolder } from './testing/genserve.js';

const ROWS = 60;
const SIDE = 6;
const SCORE = 'negative-log-likelihood-of-label';
const classes = ['0', '1'];
const domain = { image: { height: SIDE, width: SIDE, channels: 1 } } as Domain; // all that a .npz is written by
const pixels = new Float32Array(ROWS * SIDE * SIDE);
const labels = Array.from({ length: ROWS }, (_, row) => row % 2);
let folder: string;

beforeAll(async () => {
  folder = temporaryFolder();
  new NoiseStream(1, 'images', 'uniform').fill(pixels, 0);
  // The first half of a picture is dark in one class and bright in the other.
  pixels.forEach((value, i) => {
    const bright = i % SIDE ** 2 < SIDE ** 2 / 2 === (labels[Math.floor(i / SIDE ** 2)] === 1);
    pixels[i] = value < (bright ? 0.9 : 0.1) ? 1 : 0;
  });
  const writer = rowWriter(join(folder, 'rows.npz'), { domain, labels: classes });
  const data = float32([ROWS, SIDE, SIDE, 1], pixels);
  await writer.add({ data, labels, seed: 0, firstIndex: 0 });
  await writer.finish();
  writeFileSync(
    join(folder, 'unlabelled.npy'),
    writeNpy(
      [ROWS, SIDE, SIDE],
      Uint8Array.from(pixels, v => 255 * v),
    ),
  );
  const settings = [
    'channels=4',
    'layers=1',
    'size=3',
    'firstSize=3',
    'head=4',
    'particles=2',
    'condition=label',
    'training.optimiser.learningRate=0.02',
  ];
  const { code, stderr } = await genserve(
    ...[folder, 'train', '--family', 'gated-pixelcnn', '--data', 'rows.npz', '--steps', '300', '--name', 'two'],
    ...settings.flatMap(setting => ['--set', setting]),
    ...['export.testRows=6', 'export.calibrationRows=6'].flatMap(setting => ['--set', setting]),
    ...['--set', 'data.binarisation=threshold', '--threads', '1'],
  );
  expect(code, stderr).toBe(0);
}, 120_000);
afterAll(() => {
  stopAll();
  rmSync(folder, { recursive: true, force: true });
});

async function scored(data: string, ...words: string[]): Promise<ScoredRow[]> {
  const out = join(folder, 'scores.jsonl');
  const { code, stderr } = await genserve(folder, 'score', 'two', data, '--out', out, ...words);
  expect(code, stderr).toBe(0);
  const lines = readFileSync(out, 'utf8').trim().split('\n');
  return lines.map(line => JSON.parse(line) as ScoredRow); // what the command wrote
}

it('scores each row given the class that the data state', async () => {
  const rows = await scored('rows.npz', '--scores', `negative-log-likelihood,${SCORE}`);
  const generator = await openGenerator(join(folder, 'models/two/1'));
  const { logProb } = await generator.logLikelihood(float32([ROWS, SIDE, SIDE, 1], pixels), { label: labels });
  await generator.close();
  expect(rows.map(({ label }) => label)).toEqual(labels.map(String));
  for (const [row, { scores }] of rows.entries()) {
    expect(Object.keys(scores)).toEqual(['negative-log-likelihood', SCORE]);
    expect(scores[SCORE]!.value).toBeCloseTo(-logProb[row]!, 3);
    expect(scores[SCORE]!.value).not.toBeCloseTo(scores['negative-log-likelihood']!.value!, 3);
    expect(scores[SCORE]!.p_value).toBeGreaterThan(0);
  }
});

it('is unsure of rows without a class, and scores them otherwise', async () => {
  const rows = await scored('unlabelled.npy', '--scores', `${SCORE},negative-log-likelihood`);
  for (const { scores } of rows) {
    expect(scores[SCORE]).toEqual({ decision: 'unsure' });
    expect(scores['negative-log-likelihood']!.value).toBeGreaterThan(0);
  }
});
