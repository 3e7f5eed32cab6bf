// Sheets of pictures for people's eyes: what a bundle draws, and what it makes of held-out data.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BundleGenerator,
  classCount,
  concatenate,
  float32,
  GenserveError,
  type Tensor,
  takeRows,
} from '@genserve/runtime';
import { rowsInOrder } from '../../data/batches.js';
import type { Split } from '../../data/dataset.js';
import { interleave, writeSheet } from '../../export/sheet.js';
import type { RowOptions } from '../row-chunks.js';
import { translationSheet } from '../translation.js';

export interface SheetOptions extends Omit<RowOptions, 'limit'> {
  /** Folder that the sheets are written to. */
  readonly out: string;
  /** 0 when absent. */
  readonly seed?: number | undefined;
}

export interface Sheet {
  readonly name: string;
  readonly path: string;
  readonly images: number;
}

const SIDE = 10;

/**
 * samples.png (a column for each class where the model knows classes), labels-by-noise.png (the same noise under every
 * label), reconstructions.png (data above what becomes of
 * them), interpolations.png (a row from one datum to another), completions.png (a datum, its known half, eight
 * completions) and translations.png (data, what becomes of them, and what should): those that the bundle has the
 * operations for. Throws OPERATION_UNSUPPORTED where the data are no images.
 */
export async function sampleSheets(
  generator: BundleGenerator,
  split: Split,
  options: SheetOptions,
): Promise<readonly Sheet[]> {
  const { manifest } = generator;
  if (!manifest.domain?.image)
    throw new GenserveError(
      'OPERATION_UNSUPPORTED',
      `${manifest.name} does not draw images: there is no sheet to look at`,
    );
  // There is no way from one code to another where they are names.
  const has = (name: string) =>
    manifest.operations.some(({ name: own, outputs }) => own === name && outputs.every(({ role }) => role !== 'codes'));
  const makers = sheetMakers.filter(
    ({ operations, byLabel }) => operations.every(has) && (!byLabel || classCount(manifest) > 0),
  );
  const data = await heldOut(generator, split, options.seed ?? 0);
  await mkdir(options.out, { recursive: true });
  const sheets: Sheet[] = [];
  for (const { name, make } of makers) {
    const { seed = 0, signal } = options;
    const images = await make({ generator, split, data, seed, signal });
    const path = join(options.out, `${name}.png`);
    await writeSheet(path, images, SIDE);
    sheets.push({ name, path, images: images.shape[0]! });
    options.onProgress?.(sheets.length, makers.length);
  }
  return sheets;
}

interface SheetMaker {
  readonly name: string;
  /** Those that a bundle must have. */
  readonly operations: readonly string[];
  /** Whether it must know classes. */
  readonly byLabel?: boolean;
  make(drawing: Drawing): Promise<Tensor>;
}

interface Drawing {
  readonly generator: BundleGenerator;
  readonly split: Split;
  /** SIDE * SIDE rows as the model takes them: the first, again from the start where there are fewer. */
  readonly data: Tensor;
  readonly seed: number;
  readonly signal: AbortSignal | undefined;
}

async function heldOut({ manifest }: BundleGenerator, split: Split, seed: number): Promise<Tensor> {
  const { height, width, channels } = manifest.domain!.image!; // of images, as checked
  const count = Math.min(SIDE * SIDE, split.count);
  const { data } = await rowsInOrder(split, manifest.domain!, { first: 0, count, seed });
  const rows = float32([count, height, width, channels], data);
  return takeRows(
    rows,
    Array.from({ length: SIDE * SIDE }, (_, index) => index % count),
  );
}

async function samples({ generator, seed, signal }: Drawing): Promise<Tensor> {
  const count = SIDE * SIDE;
  const classes = classCount(generator.manifest);
  const label = classes > 0 ? Array.from({ length: count }, (_, index) => (index % SIDE) % classes) : undefined;
  return (await generator.sample({ count, label, seed, signal })).data;
}

/** A column for each class, a line for each noise: what the two have to say apart from each other. */
async function labelsByNoise({ generator, seed, signal }: Drawing): Promise<Tensor> {
  const classes = classCount(generator.manifest);
  const columns: Tensor[] = [];
  for (let column = 0; column < SIDE; column++) {
    // A sample's noise is that of its index, whatever its label.
    const label = new Array<number>(SIDE).fill(column % classes);
    columns.push((await generator.sample({ count: SIDE, label, seed, signal })).data);
  }
  return interleave(columns, 1);
}

async function reconstructions({ generator, data, seed, signal }: Drawing): Promise<Tensor> {
  const shown = firstRows(data, (SIDE / 2) * SIDE);
  const { data: made } = await generator.reconstruct(shown, { seed, signal });
  return interleave([shown, made], SIDE);
}

async function translations({ generator, split, seed, signal }: Drawing): Promise<Tensor> {
  return await translationSheet(generator, split, { lines: Math.floor(SIDE / 3), columns: SIDE, seed, signal });
}

async function interpolations({ generator, data, seed, signal }: Drawing): Promise<Tensor> {
  const lines: Tensor[] = [];
  for (let line = 0; line < SIDE; line++) {
    const [from, to] = [takeRows(data, [2 * line]), takeRows(data, [2 * line + 1])];
    const ends = [
      await generator.encode(from, { seed, signal }),
      await generator.encode(to, { seed, signal }),
    ] as const;
    lines.push((await generator.interpolate(ends[0], ends[1], { steps: SIDE, signal })).data);
  }
  return concatenate(lines);
}

async function completions({ generator, data, seed, signal }: Drawing): Promise<Tensor> {
  const [, height = 0, width = 0] = data.shape;
  const upper = Array.from({ length: height * width }, (_, pixel) => Number(2 * pixel < height * width));
  const mask = float32([1, height, width, 1], upper);
  const lines: Tensor[] = [];
  for (let line = 0; line < SIDE; line++) {
    const datum = takeRows(data, [line]);
    const half = float32(
      datum.shape,
      datum.data.map((value, i) => (2 * i < datum.data.length ? value : 0)),
    );
    const repeated = takeRows(datum, new Array(SIDE - 2).fill(0));
    const { data: completed } = await generator.complete(repeated, mask, { seed, signal });
    lines.push(datum, half, completed);
  }
  return concatenate(lines);
}

const sheetMakers: readonly SheetMaker[] = [
  { name: 'samples', operations: ['sample'], make: samples },
  { name: 'labels-by-noise', operations: ['sample'], byLabel: true, make: labelsByNoise },
  { name: 'reconstructions', operations: ['reconstruct'], make: reconstructions },
  { name: 'interpolations', operations: ['encode', 'decode'], make: interpolations },
  { name: 'completions', operations: ['complete'], make: completions },
  { name: 'translations', operations: ['translate'], make: translations },
];

const firstRows = (images: Tensor, count: number): Tensor => takeRows(images, [...new Array(count).keys()]);
