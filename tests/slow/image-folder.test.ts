// A folder of 200,000 images trains within 1.5 GiB of memory.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { root } from '../support/paths.js';
import { record } from '../support/results.js';

const IMAGES = Number(process.env.IMAGES ?? 200_000);
const BATCH = 64;
/** More than an epoch: every image is read, and what is kept of them has its full size. */
const STEPS = Math.ceil((1.2 * IMAGES) / BATCH);
const CLASSES = 10;
const SIDE = 32;

/** PNGs of three random colours in bands, in a folder for each class. */
async function makeImages(folder: string): Promise<void> {
  for (let label = 0; label < CLASSES; label++) mkdirSync(`${folder}/class-${label}`, { recursive: true });
  const make = async (index: number) => {
    const pixels = Buffer.alloc(SIDE * SIDE * 3);
    for (let i = 0; i < pixels.length; i++) pixels[i] = (index * (7 + (i % 3)) + Math.floor(i / 300) * 40) % 256;
    const png = await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png({ compressionLevel: 1 })
      .toBuffer();
    writeFileSync(`${folder}/class-${index % CLASSES}/${index}.png`, png);
  };
  for (let first = 0; first < IMAGES; first += 64)
    await Promise.all(Array.from({ length: Math.min(64, IMAGES - first) }, (_, i) => make(first + i)));
}

/** Greatest resident memory of a process so far, bytes (Linux). */
function peak(pid: number): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

it('trains on 200,000 images with a peak of less than 1.5 GiB', async () => {
  const folder = mkdtempSync(`${tmpdir()}/genserve-images-`);
  try {
    await makeImages(`${folder}/images`);
    const words = [
      ...['train', '--family', 'vae', '--data', 'images', '--steps', `${STEPS}`, '--no-export', '--name', 'big'],
      ...[
        '--set',
        'likelihood=gaussian',
        '--set',
        `training.batch=${BATCH}`,
        '--set',
        'hidden=[64]',
        '--set',
        'latent=8',
      ],
    ];
    const child = spawn(process.execPath, [`${root}cli/bin/genserve.mjs`, ...words], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    let ended = false;
    const code = new Promise<number | null>(resolve =>
      child.on('close', status => {
        ended = true;
        resolve(status);
      }),
    );
    let peakBytes = 0;
    while (!ended) {
      try {
        peakBytes = Math.max(peakBytes, peak(child.pid!));
      } catch {
        // it has just ended
      }
      await pause(200);
    }
    expect(await code).toBe(0);
    const command = `genserve ${words.join(' ')}`;
    record(
      'image-folder',
      command,
      { images: IMAGES, peak_gib: peakBytes / 2 ** 30 },
      { side: SIDE, classes: CLASSES },
    );
    expect(peakBytes).toBeLessThan(1.5 * 2 ** 30);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
