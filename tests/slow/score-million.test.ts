// A million rows of bytes through `genserve score`: killed twice on the way, none lost, none repeated, in bounded memory.
import { type ChildProcess, spawn } from 'node:child_process';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { writeNpy } from '@genserve/runtime';
import { openDataset, openGenerator } from '@genserve/trainer';
import { expect, it } from 'vitest';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

const ROWS = Number(process.env.SCORE_ROWS ?? 1_000_000);
const SIZE = 784;
const bundle = `${root}models/mnist-vae/1`;

/** Test digits over and over, as one .npy of uint8. */
async function writeRows(path: string, rows: number): Promise<void> {
  const { test } = await openDataset('mnist');
  const { data } = await test.read(Array.from({ length: 1000 }, (_, i) => i));
  const block = Uint8Array.from(data, value => Math.round(255 * value));
  const empty = writeNpy([1, 28, 28], new Uint8Array(SIZE));
  const header = Buffer.from(empty.subarray(0, empty.length - SIZE)).toString('latin1');
  const shape = `(${rows}, 28, 28)`;
  const stream = createWriteStream(path);
  // The header keeps its length: what the shape gains, the padding loses.
  const whole = header.replace('(1, 28, 28)', shape);
  stream.write(Buffer.from(whole.replace(`${' '.repeat(whole.length - header.length)}\n`, '\n'), 'latin1'));
  for (let row = 0; row < rows; row += 1000) {
    if (!stream.write(block.subarray(0, SIZE * Math.min(1000, rows - row))))
      await new Promise<void>(go => stream.once('drain', () => go()));
  }
  stream.end();
  await finished(stream);
}

/** Greatest resident memory so far, MiB. */
function peakMemory(child: ChildProcess): number {
  const status = existsSync(`/proc/${child.pid}/status`) ? readFileSync(`/proc/${child.pid}/status`, 'utf8') : '';
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

async function score(
  data: string,
  out: string,
  stop: (parts: number) => boolean,
): Promise<{ peak: number; seconds: number }> {
  const words = ['score', bundle, data, '--out', out, '--scores', 'negative-log-likelihood', '--draws', '1'];
  const started = performance.now();
  const child = spawn(process.execPath, [`${root}cli/bin/genserve.mjs`, ...words], { stdio: 'ignore' });
  let peak = 0;
  const watch = setInterval(() => {
    peak = Math.max(peak, peakMemory(child));
    const parts = existsSync(`${out}.partial`) ? readdirSync(`${out}.partial`).length - 1 : 0;
    if (stop(parts)) child.kill('SIGKILL');
  }, 200);
  await new Promise(resolve => child.on('close', resolve));
  clearInterval(watch);
  return { peak, seconds: (performance.now() - started) / 1000 };
}

/** Rows a second of the session alone, on all cores, in batches of so many rows. */
async function rawSpeed(batch: number): Promise<number> {
  const generator = await openGenerator(bundle);
  const run = () => {
    const x = { dtype: 'float32', shape: [batch, 28, 28, 1], data: new Float32Array(batch * SIZE) } as const;
    const epsilon = { dtype: 'float32', shape: [batch, 50], data: new Float32Array(batch * 50) } as const;
    return generator.runner.run('log_prob', { x, epsilon });
  };
  await run();
  const started = performance.now();
  for (let i = 0; i < 300; i++) await run();
  const speed = (300 * batch) / ((performance.now() - started) / 1000);
  await generator.close();
  return speed;
}

it('scores a million rows in memory that does not grow, and goes on after kill -9', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'genserve-million-'));
  try {
    const [few, many] = [join(folder, 'few.npy'), join(folder, 'many.npy')];
    await writeRows(few, Math.round(ROWS / 10));
    await writeRows(many, ROWS);
    const small = await score(few, join(folder, 'few.jsonl'), () => false);
    const out = join(folder, 'many.jsonl');
    for (const share of [0.2, 0.6]) await score(many, out, parts => parts * 4096 > share * ROWS);
    expect(existsSync(out)).toBe(false);
    const last = await score(many, out, () => false);
    let rows = 0;
    let misplaced = 0;
    for await (const line of createInterface({ input: createReadStream(out) }))
      if ((JSON.parse(line) as { row: number }).row !== rows++) misplaced++;
    const timed = await score(many, join(folder, 'timed.jsonl'), () => false);
    // Batches as requests are served in, and as the command runs them: the faster is the rival.
    const [raw64, raw256] = [await rawSpeed(64), await rawSpeed(256)];
    const raw = Math.max(raw64, raw256);
    const rows_per_second = ROWS / timed.seconds;
    const metrics = {
      rows,
      misplaced,
      growth_mib: last.peak - small.peak,
      peak_mib: last.peak,
      rows_per_second,
      'raw_rows_per_second.batch_64': raw64,
      'raw_rows_per_second.batch_256': raw256,
      share_of_raw: rows_per_second / raw,
    };
    record(
      'score-million',
      'genserve score models/mnist-vae <rows>.npy --draws 1, killed twice; timed whole, start-up included',
      metrics,
      {
        rows: ROWS,
      },
    );
    expect(metrics).toMatchObject({ rows: ROWS, misplaced: 0 });
    expect(metrics.growth_mib).toBeLessThan(100);
    expect(metrics.share_of_raw).toBeGreaterThanOrEqual(0.9);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
