// A file of scores that is made in parts, so that a run which was killed goes on after the last whole one: JSON lines of
// PART_ROWS rows each in a folder beside it, and one file of them all at the end, CSV, JSON lines or Parquet by its ending.
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GenserveError, invalid } from '@genserve/runtime';
import type { ColumnSource } from 'hyparquet-writer';
import type { ScoredRow } from './score-chunk.js';

/** Rows that are lost, and computed again, at most. */
export const PART_ROWS = 4096;

export interface ScoreFile {
  /** Rows that an earlier run has left: the next to write is the one after them. */
  readonly done: number;
  /** Keeps the lines of the next PART_ROWS rows, or what is left; on disk when it returns. */
  write(lines: string): Promise<void>;
  /** The rows so far, in order. */
  rows(): AsyncIterable<ScoredRow>;
  /** JSON lines of the rows so far, in order. */
  readonly parts: readonly string[];
  /** The file appears under its name only now, and its parts go. */
  finish(): Promise<void>;
}

type Writer = (path: string, file: ScoreFile) => Promise<void>;

const writers: Readonly<Record<string, Writer>> = {
  '.csv': writeCsv,
  '.jsonl': writeJsonLines,
  '.parquet': writeParquet,
};

/**
 * `plan` says what decides on the rows: parts of another plan are thrown away. Throws as `writerOf` does, and STORAGE_FULL
 * where parts cannot be written.
 */
export async function scoreFile(path: string, plan: object): Promise<ScoreFile> {
  const write = writerOf(path);
  const folder = `${path}.partial`;
  const planFile = join(folder, 'plan.json');
  const planText = JSON.stringify(plan);
  const partName = (part: number) => `${String(part).padStart(9, '0')}.jsonl`;
  const stored = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new GenserveError('STORAGE_FULL', `${path} cannot be written: ${why}`, { field: 'out', cause });
    }
  };
  const parts = await stored(async () => {
    const same = existsSync(planFile) && (await readFile(planFile, 'utf8')) === planText;
    if (!same) await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await writeFile(planFile, planText);
    const whole = (await readdir(folder)).filter(name => /^\d{9}\.jsonl$/.test(name)).length;
    return Array.from({ length: whole }, (_, part) => join(folder, partName(part)));
  });
  let done = 0;
  for (const part of parts) for await (const _ of linesOf(part)) done++;

  const file: ScoreFile = {
    done,
    parts,
    async write(lines) {
      await stored(async () => {
        const target = join(folder, partName(parts.length));
        const handle = await open(`${target}.writing`, 'w');
        try {
          await handle.writeFile(lines);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await rename(`${target}.writing`, target);
        parts.push(target);
      });
    },
    async *rows() {
      // What scoreChunk() made.
      for (const part of parts) for await (const line of linesOf(part)) yield JSON.parse(line) as ScoredRow;
    },
    async finish() {
      await stored(async () => {
        const whole = join(folder, 'whole');
        await write(whole, file);
        await mkdir(dirname(path), { recursive: true });
        await rename(whole, path);
        await rm(folder, { recursive: true });
      });
    },
  };
  return file;
}

/** Throws INVALID_ARGUMENT (`out`) for an ending that cannot be written. */
export function writerOf(path: string): Writer {
  const write = writers[extname(path).toLowerCase()];
  if (!write) throw invalid('out', `"${path}" must end in ${Object.keys(writers).join(', ')}`);
  return write;
}

function linesOf(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
}

/** Parts are JSON lines already. */
async function writeJsonLines(path: string, { parts }: ScoreFile): Promise<void> {
  async function* pieces() {
    for (const part of parts) yield* createReadStream(part);
  }
  await pipeline(Readable.from(pieces()), createWriteStream(path));
}

async function writeCsv(path: string, file: ScoreFile): Promise<void> {
  async function* lines() {
    let header = true;
    for await (const row of file.rows()) {
      const cells = columns(row);
      if (header) yield `${cells.map(([name]) => quote(name)).join(',')}\n`;
      header = false;
      yield `${cells.map(([, value]) => quote(value === undefined ? '' : String(value))).join(',')}\n`;
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(path));
}

/** A row group for each part; numbers are doubles, the rest text, absent values null. */
async function writeParquet(path: string, file: ScoreFile): Promise<void> {
  const { fileWriter, ParquetWriter, schemaFromColumnData } = await import('hyparquet-writer');
  let writer: InstanceType<typeof ParquetWriter> | undefined;
  let group: ScoredRow[] = [];
  const flush = () => {
    const [first] = group;
    if (!first) return;
    const cells = group.map(columns);
    const columnData = columns(first).map(([name], i): ColumnSource => {
      const type = textColumns.test(name) ? 'STRING' : 'DOUBLE';
      return { name, data: cells.map(row => row[i]![1] ?? null), type, nullable: true };
    });
    writer ??= new ParquetWriter({ writer: fileWriter(path), schema: schemaFromColumnData({ columnData }) });
    writer.write({ columnData });
    group = [];
  };
  for await (const row of file.rows()) {
    group.push(row);
    if (group.length === PART_ROWS) flush();
  }
  flush();
  await writer?.finish();
}

const textColumns = /^(name|label|.*\.decision)$/;

/** The same columns for every row of a file. */
function columns({
  row,
  name,
  label,
  log_prob,
  bits_per_dim,
  scores,
}: ScoredRow): [string, string | number | undefined][] {
  return [
    ['row', row],
    ['name', name],
    ['label', label],
    ['log_prob', log_prob],
    ['bits_per_dim', bits_per_dim],
    ...Object.entries(scores).flatMap(
      ([score, { value, p_value, decision }]): [string, string | number | undefined][] => [
        [score, value],
        [`${score}.p_value`, p_value],
        [`${score}.decision`, decision],
      ],
    ),
  ];
}

function quote(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
