// Rows that are image files: decoded, resized and cropped when they are read, and kept as bytes within a bound.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import sharp from 'sharp';
import type { Store } from './store.js';

export interface ImageSize {
  readonly height: number;
  readonly width: number;
  /** 1 grey, 3 colour. */
  readonly channels: number;
}

/** Bytes of decoded images that one store keeps: 250,000 grey images of 32x32. */
const defaultCacheBytes = 256 * 2 ** 20;

/** What a file holds, after its EXIF orientation. Throws INVALID_ARGUMENT where it is no image. */
export async function imageSize(path: string): Promise<ImageSize> {
  try {
    const { width, height, orientation = 1, channels, space } = await sharp(path).metadata();
    const turned = orientation >= 5;
    return {
      height: turned ? width : height,
      width: turned ? height : width,
      channels: channels <= 2 || space === 'b-w' ? 1 : 3,
    };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Decoded to bytes [height, width, channels]: scaled to cover, cropped to the middle, transparency on white. */
export async function decodeImage(path: string, size: ImageSize): Promise<Buffer> {
  const { height, width, channels } = size;
  try {
    return await sharp(path)
      .rotate()
      .flatten({ background: 'white' })
      .resize(width, height, { fit: 'cover', position: 'centre' })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw()
      .toBuffer();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Files as rows, `paths` relative to `folder`. Memory: one batch, and the first images decoded up to `cacheBytes`. */
export function imageFileStore(
  folder: string,
  paths: readonly string[],
  size: ImageSize,
  labels?: Int32Array<ArrayBuffer>,
  cacheBytes = defaultCacheBytes,
): Store {
  const rowSize = size.height * size.width * size.channels;
  const capacity = Math.min(paths.length, Math.floor(cacheBytes / rowSize));
  const cache = new Map<number, Buffer>();
  const decoded = async (index: number): Promise<Buffer> => {
    const kept = cache.get(index);
    if (kept) return kept;
    const bytes = await decodeImage(join(folder, paths[index]!), size);
    // A copy: what sharp returns lies in memory of its own that the garbage collector does not see filling up.
    if (cache.size < capacity) cache.set(index, Buffer.from(bytes));
    return bytes;
  };
  return {
    count: paths.length,
    labels,
    nameOf: index => paths[index]!,
    async read(indices) {
      const data = new Float32Array(indices.length * rowSize);
      let next = 0;
      const worker = async () => {
        for (let row = next++; row < indices.length; row = next++) {
          const bytes = await decoded(indices[row]!);
          for (let i = 0; i < rowSize; i++) data[row * rowSize + i] = bytes[i]! / 255;
        }
      };
      await Promise.all(Array.from({ length: availableParallelism() }, worker));
      return { data, ...(labels && { labels: Int32Array.from(indices, i => labels[i]!) }) };
    },
  };
}

function unreadable(path: string, cause: unknown): GenserveError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new GenserveError('INVALID_ARGUMENT', `data: ${path} cannot be read as an image: ${why}`, {
    field: 'data',
    cause,
  });
}
