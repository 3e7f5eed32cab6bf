// Writes rows to files that `--data` reads again: a folder of images, a .npz, a .csv of vectors, or one sheet to look at.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { type Domain, domainShape, invalid, type Samples, writeNpy } from '@genserve/runtime';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { encodeSheet } from '../export/sheet.js';

export interface RowWriter {
  /** Parts come in order of index. */
  add(samples: Samples): Promise<void>;
  /** Finishes what was added. Returns what was written, in words. */
  finish(): Promise<string>;
}

export interface RowWriterOptions {
  readonly domain: Domain;
  /** Names of the classes. */
  readonly labels: readonly string[];
}

/** By the ending of `path`: .npz, .csv (vectors), .png (a sheet), or a folder of PNGs. Throws INVALID_ARGUMENT (`out`). */
export function rowWriter(path: string, options: RowWriterOptions): RowWriter {
  const { domain } = options;
  const ending = extname(path).toLowerCase();
  if (ending === '.npz') return collecting(path, options, writeArchive);
  if (ending === '.csv' && domain.vector) return collecting(path, options, writeTable);
  if (ending === '.png' && domain.image) return collecting(path, options, writeSheetFile);
  if (ending === '' && domain.image) return imageFolder(path, options);
  const kinds = domain.image
    ? 'a folder, a .npz file or a .png sheet'
    : domain.vector
      ? 'a .npz or .csv file'
      : 'a .npz file';
  throw invalid('out', `"${path}" is not ${kinds}, which is what can be written of this model's samples`);
}

interface Collected {
  /** float32 [count, ...domain] */
  readonly values: Float32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer> | undefined;
  readonly count: number;
}

/** Keeps the rows and writes one file at the end, whole or not at all. */
function collecting(
  path: string,
  options: RowWriterOptions,
  write: (rows: Collected, options: RowWriterOptions) => Promise<{ bytes: Uint8Array; what: string }>,
): RowWriter {
  const parts: Samples[] = [];
  return {
    async add(samples) {
      parts.push(samples);
    },
    async finish() {
      const count = parts.reduce((sum, { data }) => sum + (data.shape[0] ?? 0), 0);
      const size = domainShape(options.domain).reduce((product, length) => product * length, 1);
      const values = new Float32Array(count * size);
      let filled = 0;
      for (const { data } of parts) {
        values.set(data.data, filled);
        filled += data.data.length;
      }
      const labels = parts.every(part => part.labels)
        ? Int32Array.from(parts.flatMap(part => part.labels!))
        : undefined;
      const { bytes, what } = await write({ values, labels, count }, options);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.partial`, bytes);
      await rename(`${path}.partial`, path);
      return `${path}: ${what}`;
    },
  };
}

async function writeArchive({ values, labels, count }: Collected, { domain }: RowWriterOptions) {
  const files = {
    'data.npy': writeNpy([count, ...domainShape(domain)], values),
    ...(labels && { 'labels.npy': writeNpy([count], labels) }),
  };
  // One time for all, so that equal rows make equal files.
  const mtime = new Date(1980, 0, 1);
  return { bytes: zipSync(files, { mtime }), what: `${count} rows${labels ? ' with labels' : ''}` };
}

async function writeTable({ values, labels, count }: Collected, { domain, labels: names }: RowWriterOptions) {
  const columns = domain.vector?.names ?? [];
  const quote = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [[...columns, ...(labels ? ['label'] : [])].map(quote).join(',')];
  for (let row = 0; row < count; row++) {
    const numbers = [...values.subarray(row * columns.length, (row + 1) * columns.length)].map(String);
    lines.push([...numbers, ...(labels ? [quote(names[labels[row]!] ?? '')] : [])].join(','));
  }
  return { bytes: Buffer.from(`${lines.join('\n')}\n`), what: `${count} rows` };
}

async function writeSheetFile({ values, count }: Collected, { domain }: RowWriterOptions) {
  const shape = domainShape(domain);
  const columns = Math.ceil(Math.sqrt(count));
  const bytes = await encodeSheet({ dtype: 'float32', shape: [count, ...shape], data: values }, columns);
  return { bytes, what: `a sheet of ${count} samples` };
}

/** <index>.png, below a folder for each class where samples have labels. Written as they come. */
function imageFolder(path: string, { domain, labels: names }: RowWriterOptions): RowWriter {
  const { height, width, channels } = domain.image!; // seen by rowWriter
  const made = new Set<string>();
  let count = 0;
  return {
    async add({ data, labels, firstIndex }) {
      const size = height * width * channels;
      const rows = data.shape[0] ?? 0;
      for (let row = 0; row < rows; row++, count++) {
        const label = labels?.[row];
        const folder = label === undefined || label < 0 ? path : join(path, folderName(names[label] ?? String(label)));
        if (!made.has(folder)) await mkdir(folder, { recursive: true });
        made.add(folder);
        const pixels = Buffer.from(
          data.data
            .subarray(row * size, (row + 1) * size)
            .map(value => Math.round(255 * Math.min(1, Math.max(0, value)))),
        );
        const name = `${String(firstIndex + row).padStart(6, '0')}.png`;
        await sharp(pixels, { raw: { width, height, channels: channels === 3 ? 3 : 1 } })
          // Without it a grey picture is written, and read again, as one in colour.
          .toColourspace(channels === 3 ? 'srgb' : 'b-w')
          .png()
          .toFile(join(folder, name));
      }
    },
    async finish() {
      const classes = made.size > 1 ? ` in ${made.size} folders` : '';
      return `${path}: ${count} images${classes}`;
    },
  };
}

/** A class's name without what a file system takes amiss. */
function folderName(label: string): string {
  return label.replaceAll(/[^\w .&()-]/g, '_').replace(/^\.+/, '_') || '_';
}
