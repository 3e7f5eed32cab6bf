// Pictures for callers: one PNG per sample, one sheet of many, and heat maps.
import { type Pixels, type Tensor, toBytes, toGrid } from '@genserve/runtime';
import sharp from 'sharp';

export function encodePng({ data, width, height, channels }: Pixels): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } })
    .toColourspace(channels < 3 ? 'b-w' : 'srgb')
    .png({ compressionLevel: 6 })
    .toBuffer();
}

/** Rows [count, height, width, channels] in [0, 1]: one PNG each. */
export function encodeEach(rows: Tensor): Promise<Buffer[]> {
  const [count = 0, height = 0, width = 0, channels = 0] = rows.shape;
  const size = height * width * channels;
  const bytes = toBytes(rows);
  return Promise.all(
    Array.from({ length: count }, (_, row) =>
      encodePng({ width, height, channels: asChannels(channels), data: bytes.subarray(row * size, (row + 1) * size) }),
    ),
  );
}

/** All rows on one sheet, as square as it can be, with a grey line between them. */
export function encodeSheet(rows: Tensor): Promise<Buffer> {
  return encodePng(toGrid(rows, { gap: rows.shape[0] === 1 ? 0 : 2, gapValue: 0.5 }));
}

/** A map [height, width] from its least value (black) over red and yellow to its greatest (white). */
export function encodeHeatMap({ shape, data }: Tensor): Promise<Buffer> {
  const [height = 1, width = 1] = shape;
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const value of data) {
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  const scale = greatest > least ? 3 / (greatest - least) : 0;
  const colours = new Uint8Array(height * width * 3);
  data.forEach((value, pixel) => {
    const heat = (value - least) * scale; // 0 to 3: red rises, then green, then blue
    for (let channel = 0; channel < 3; channel++) {
      colours[3 * pixel + channel] = Math.round(255 * Math.min(1, Math.max(0, heat - channel)));
    }
  });
  return encodePng({ width, height, channels: 3, data: colours });
}

function asChannels(channels: number): 1 | 2 | 3 | 4 {
  return channels === 2 || channels === 3 || channels === 4 ? channels : 1;
}
