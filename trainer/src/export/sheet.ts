// A sheet of images as one PNG.
import { concatenate, float32, type Tensor, takeRows } from '@genserve/runtime';
import sharp from 'sharp';
import { writeAtomically } from '../train/checkpoint.js';

const GAP = 1;

/** PNG bytes of images [count, height, width, 1 or 3] in [0, 1], row by row, `columns` in a row. */
export async function encodeSheet(images: Tensor, columns: number, scale = 2): Promise<Buffer> {
  const [count = 0, height = 0, width = 0, channels = 1] = images.shape;
  const rows = Math.ceil(count / columns);
  const sheetWidth = columns * (width + GAP) + GAP;
  const sheetHeight = rows * (height + GAP) + GAP;
  const pixels = Buffer.alloc(sheetWidth * sheetHeight * channels, 96);
  for (let index = 0; index < count; index++) {
    const left = GAP + (index % columns) * (width + GAP);
    const top = GAP + Math.floor(index / columns) * (height + GAP);
    for (let y = 0; y < height; y++) {
      const source = (index * height + y) * width * channels;
      const target = ((top + y) * sheetWidth + left) * channels;
      for (let i = 0; i < width * channels; i++)
        pixels[target + i] = Math.round(255 * Math.min(1, Math.max(0, images.data[source + i]!)));
    }
  }
  return sharp(pixels, { raw: { width: sheetWidth, height: sheetHeight, channels: channels === 3 ? 3 : 1 } })
    .resize(sheetWidth * scale, sheetHeight * scale, { kernel: 'nearest' })
    .png({ compressionLevel: 9 })
    .toBuffer();
}

export async function writeSheet(path: string, images: Tensor, columns: number): Promise<void> {
  await writeAtomically(path, await encodeSheet(images, columns));
}

/**
 * Sets of equally many pictures as one, for sheets of `columns`: a line of the first set above the same line of the next,
 * what is left of the last line left out. Grey sets among colour ones become colour.
 */
export function interleave(sets: readonly Tensor[], columns: number): Tensor {
  const channels = Math.max(...sets.map(({ shape }) => shape.at(-1)!));
  const alike = sets.map(set => (set.shape.at(-1) === channels ? set : repeatChannel(set, channels)));
  const lines = Math.floor(sets[0]!.shape[0]! / columns);
  const line = (row: number) => Array.from({ length: columns }, (_, column) => row * columns + column);
  return concatenate(Array.from({ length: lines }, (_, row) => alike.map(set => takeRows(set, line(row)))).flat());
}

function repeatChannel({ shape, data }: Tensor, channels: number): Tensor {
  const repeated = Float32Array.from({ length: data.length * channels }, (_, i) => data[Math.floor(i / channels)]!);
  return float32([...shape.slice(0, -1), channels], repeated);
}
