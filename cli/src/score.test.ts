import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScoredRow } from './score-chunk.js';
import { scoreFile } from './score-file.js';
import { genserve, start, stopAll, temporaryFolder } from './testing/genserve.js';
import { noiseImages } from './testing/images.js';

const ROWS = 12_500;
let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = temporaryFolder();
  writeFileSync(join(folder, 'rows.npy'), noiseImages(ROWS, 16));
  bundle = new URL('../../runtime/fixtures/tiny/1', import.meta.url).pathname;
});
afterAll(() => {
  stopAll();
  rmSync(folder, { recursive: true, force: true });
});

const score = (out: string) => ['score', bundle, 'rows.npy', '--out', out, '--scores', 'nll', '--draws', '1'];
const line = (row: ScoredRow) => `${JSON.stringify(row)}\n`;
const rowsOf = (file: string): ScoredRow[] =>
  readFileSync(join(folder, file), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as ScoredRow); // what the command wrote

describe('genserve score', () => {
  it('killed at any moment and started again, repeats no row, loses none, and gives the very same file', async () => {
    expect((await genserve(folder, ...score('whole.jsonl'))).code).toBe(0);
    const partial = join(folder, 'killed.jsonl.partial');
    let resumed = 0;
    for (let kills = 0; kills < 2; kills++) {
      const before = existsSync(partial) ? readdirSync(partial).filter(name => name.endsWith('.jsonl')).length : 0;
      const run = start(folder, ...score('killed.jsonl'));
      const deadline = Date.now() + 60_000;
      const parts = () =>
        existsSync(partial) ? readdirSync(partial).filter(name => name.endsWith('.jsonl')).length : 0;
      while (parts() <= before && run.process.exitCode === null && Date.now() < deadline)
        await new Promise(resolve => setTimeout(resolve, 5));
      run.process.kill('SIGKILL');
      const { stderr } = await run.ended;
      if (stderr.includes('going on after row')) resumed++;
      expect(existsSync(join(folder, 'killed.jsonl'))).toBe(false);
    }
    const last = await genserve(folder, ...score('killed.jsonl'));
    expect(last.stderr).toMatch(/going on after row (4,096|8,192|12,288)/);
    expect(resumed).toBe(1);
    expect(readFileSync(join(folder, 'killed.jsonl')).equals(readFileSync(join(folder, 'whole.jsonl')))).toBe(true);
    expect(rowsOf('killed.jsonl').map(({ row }) => row)).toEqual(Array.from({ length: ROWS }, (_, row) => row));
    expect(existsSync(partial)).toBe(false);
  });

  it('hands on what a thread refuses', async () => {
    const outcome = await genserve(folder, 'score', bundle, 'rows.npy', '--out', 'none.csv', '--scores', 'nowhere');
    expect(outcome.stderr).toContain('scores[0]: nowhere is unknown');
    expect(outcome.code).toBe(2);
    expect(existsSync(join(folder, 'none.csv'))).toBe(false);
  });

  it('does not go on with parts that were made otherwise', async () => {
    const path = join(folder, 'other.jsonl');
    const row: ScoredRow = { row: 0, scores: {} };
    const first = await scoreFile(path, { alpha: 0.05 });
    await first.write(line(row));
    expect((await scoreFile(path, { alpha: 0.05 })).done).toBe(1);
    expect((await scoreFile(path, { alpha: 0.01 })).done).toBe(0);
  });

  it('writes the same numbers to Parquet as to JSON lines, a row group for each part', async () => {
    mkdirSync(join(folder, 'parquet'));
    const rows: ScoredRow[] = [
      {
        row: 0,
        name: 'a.png',
        label: 'shoe',
        log_prob: -81.25,
        bits_per_dim: 0.15,
        scores: { nll: { value: 81.25, p_value: 0.5, decision: 'normal' } },
      },
      { row: 1, scores: { nll: { value: 3, decision: 'unsure' } } },
    ];
    for (const ending of ['parquet', 'csv']) {
      const file = await scoreFile(join(folder, `parquet/two.${ending}`), {});
      await file.write(rows.map(line).join(''));
      await file.finish();
    }
    const file = await asyncBufferFromFile(join(folder, 'parquet/two.parquet'));
    expect(await parquetReadObjects({ file })).toEqual([
      {
        row: 0,
        name: 'a.png',
        label: 'shoe',
        log_prob: -81.25,
        bits_per_dim: 0.15,
        nll: 81.25,
        'nll.p_value': 0.5,
        'nll.decision': 'normal',
      },
      {
        row: 1,
        name: null,
        label: null,
        log_prob: null,
        bits_per_dim: null,
        nll: 3,
        'nll.p_value': null,
        'nll.decision': 'unsure',
      },
    ]);
    expect(readFileSync(join(folder, 'parquet/two.csv'), 'utf8').split('\n')[1]).toBe(
      '0,a.png,shoe,-81.25,0.15,81.25,0.5,normal',
    );
  });

  it('refuses an ending that it cannot write, before it scores', async () => {
    const outcome = await genserve(folder, ...score('scores.xlsx'));
    expect(outcome.stderr).toContain('.csv, .jsonl, .parquet');
    expect(outcome.code).toBe(2);
  });
});
