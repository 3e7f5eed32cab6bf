import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillNoise, writeNpy } from '@genserve/runtime';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataset } from '../data/open.js';
import { compiledEngine } from '../engine/compiled.js';
import { readRunRecord } from '../train/run-folder.js';
import { bootstrapAupr, interval } from './bootstrap.js';
import { heldOutClasses } from './held-out.js';
import { heldOutPage } from './held-out-page.js';
import { auprCells, chosenCells } from './held-out-table.js';
import { rank } from './ranking.js';

const SIDE = 6;
const ROWS = 240;
let folder: string;
let data: string;

/** Class k of 3 has a bright band in its k-th third. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'genserve-held-out-'));
  data = join(folder, 'bands.npz');
  const noise = fillNoise({ seed: 1, name: 'bands', distribution: 'uniform', shape: [SIDE * SIDE], count: ROWS });
  const pixels = Uint8Array.from(noise, (value, i) => {
    const [row, y] = [Math.floor(i / SIDE ** 2), Math.floor(i / SIDE) % SIDE];
    return (Math.floor((3 * y) / SIDE) === row % 3 ? 150 : 0) + 100 * value;
  });
  const labels = Int32Array.from({ length: ROWS }, (_, row) => row % 3);
  await writeFile(
    data,
    zipSync({ 'data.npy': writeNpy([ROWS, SIDE, SIDE], pixels), 'labels.npy': writeNpy([ROWS], labels) }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('data without a class', () => {
  it('are normal in train and calibration, and whole in test', async () => {
    const [whole, without] = [await openDataset(data), await openDataset(data, { without: 1 })];
    const labelsOf = async (split: typeof whole.test) =>
      new Set((await split.read(Array.from({ length: split.count }, (_, row) => row))).labels);
    expect(await labelsOf(without.train)).toEqual(new Set([0, 2]));
    expect(await labelsOf(without.calibration)).toEqual(new Set([0, 2]));
    expect(await labelsOf(without.test)).toEqual(new Set([0, 1, 2]));
    expect(without.test.count).toBe(whole.test.count);
    await expect(openDataset(data, { without: 'shoe' })).rejects.toThrow(/shoe is no class.*0, 1, 2/);
  });
});

describe('the bootstrap', () => {
  const normal = Array.from({ length: 300 }, (_, i) => Math.sin(i));
  const anomalous = Array.from({ length: 60 }, (_, i) => Math.sin(2 * i) + 0.5);

  it('spreads around the figure, narrower with more rows', () => {
    const { aupr } = rank(normal, anomalous);
    const few = interval(bootstrapAupr(normal, anomalous, 200, 1));
    const many = interval(
      bootstrapAupr([...normal, ...normal, ...normal, ...normal], Array(4).fill(anomalous).flat(), 200, 1),
    );
    expect(few[0]).toBeLessThan(aupr);
    expect(few[1]).toBeGreaterThan(aupr);
    expect(many[1] - many[0]).toBeLessThan(0.7 * (few[1] - few[0]));
  });
});

describe('held-out classes', () => {
  it('train once for each class and family, and go on from what is there', async () => {
    const said: string[] = [];
    const warnings: string[] = [];
    const run = () =>
      heldOutClasses({
        data,
        families: ['vae'],
        classes: [0, 2],
        steps: 3,
        runs: folder,
        engine: compiledEngine({ threads: 1 }),
        callbacks: [{ onWarning: message => void warnings.push(message) }],
        onModel: (name, what) => said.push(`${name} ${what}`),
      });
    const first = await run();
    // Emoji are a package that need not be there.
    const emoji = await openDataset('emoji-google').catch(() => undefined);
    expect(warnings.filter(message => message.startsWith('no emoji'))).toHaveLength(emoji ? 0 : 2);
    expect(said).toEqual(
      [0, 2].flatMap(k => ['training', 'exporting', 'scoring'].map(what => `vae-bands-without-${k} ${what}`)),
    );
    expect((await readRunRecord(join(folder, 'vae-bands-without-2'))).data.options).toMatchObject({ without: 2 });

    said.length = 0;
    const second = await run();
    expect(said).toEqual(['vae-bands-without-0 scored before', 'vae-bands-without-2 scored before']);
    expect(second).toEqual(first);

    // Scores that are gone are computed again, by the model that is there.
    said.length = 0;
    await rm(join(folder, 'vae-bands-without-0/test-scores.json'));
    expect(await run()).toEqual(first);
    expect(said[0]).toBe('vae-bands-without-0 scoring');

    const { rows, chosen, summaries, classes } = first;
    expect(Object.keys(chosen)).toEqual(['vae']);
    const own = rows.filter(({ score }) => score === chosen.vae);
    expect(own.map(({ label }) => label)).toEqual([0, 2]);
    const summary = summaries[`vae.${chosen.vae}`]!;
    expect(summary.mean).toBeCloseTo((own[0]!.aupr + own[1]!.aupr) / 2, 12);
    expect(summary.interval[0]).toBeLessThanOrEqual(summary.mean);
    for (const row of rows)
      expect(row.aupr).toBeGreaterThanOrEqual(classes.find(({ label }) => label === row.label)!.floor);
    // One score for all classes, by its mean on synthetic anomalies.
    const stored = await Promise.all(
      [0, 2].map(async k =>
        JSON.parse(await readFile(join(folder, `vae-bands-without-${k}/test-scores.json`), 'utf8')),
      ),
    );
    const mean = (score: string) => stored.reduce((sum, { recommendation }) => sum + recommendation[score], 0);
    for (const { score } of rows) expect(mean(chosen.vae!)).toBeGreaterThanOrEqual(mean(score));

    const page = await heldOutPage(first, await openDataset(data));
    expect(page.match(/<img /g)).toHaveLength(6);
    expect(page).toContain((100 * summary.mean).toFixed(2));

    const { head, body } = auprCells(first);
    const lineOf = (name: string) => body.find(cells => cells[1] === name)!;
    for (const cells of body) expect(cells).toHaveLength(head.length);
    expect(lineOf(`${chosen.vae} *`).slice(2, 4)).toEqual(own.map(({ aupr }) => (100 * aupr).toFixed(2)));
    expect(lineOf('skew')[2]).toBe((100 * classes[0]!.skew).toFixed(2));
    expect(chosenCells(first).body.map(cells => cells[4])).toEqual(own.map(({ auroc }) => (100 * auroc).toFixed(2)));
  });
});
