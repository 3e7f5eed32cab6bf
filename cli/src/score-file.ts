// A file of scores, written as rows come: CSV or JSON lines by the file's ending.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { finished } from 'node:stream/promises';
import { GenserveError, invalid } from '@genserve/runtime';
import type { ScoredRow } from './scoring.js';

export interface ScoreFile {
  write(rows: readonly ScoredRow[]): Promise<void>;
  /** The file appears under its name only now. */
  finish(): Promise<void>;
  /** Leaves nothing behind. */
  discard(): Promise<void>;
}

/** Throws INVALID_ARGUMENT (`out`) for another ending, STORAGE_FULL where it cannot be written. */
export async function scoreFile(path: string): Promise<ScoreFile> {
  const ending = extname(path).toLowerCase();
  if (ending !== '.csv' && ending !== '.jsonl') throw invalid('out', `"${path}" must end in .csv or .jsonl`);
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true });
  const stream = createWriteStream(partial);
  const failure = finished(stream);
  // Looked at when the file is finished; until then a failed write shows as a stream that was destroyed.
  failure.catch(() => undefined);
  let header = ending === '.csv';
  return {
    async write(rows) {
      let text = '';
      for (const row of rows) {
        if (header)
          text += `${columns(row)
            .map(([name]) => quote(name))
            .join(',')}\n`;
        header = false;
        text +=
          ending === '.csv'
            ? `${columns(row)
                .map(([, value]) => quote(value))
                .join(',')}\n`
            : `${JSON.stringify(row)}\n`;
      }
      if (stream.destroyed) return;
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failure]);
    },
    async finish() {
      stream.end();
      try {
        await failure;
      } catch (cause) {
        await rm(partial, { force: true });
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new GenserveError('STORAGE_FULL', `${path} cannot be written: ${why}`, { field: 'out', cause });
      }
      await rename(partial, path);
    },
    async discard() {
      stream.destroy();
      await rm(partial, { force: true });
    },
  };
}

/** The same columns for every row of a file. */
function columns({ row, name, label, log_prob, bits_per_dim, scores }: ScoredRow): [string, string][] {
  const number = (value: number | undefined) => (value === undefined ? '' : String(value));
  return [
    ['row', String(row)],
    ['name', name ?? ''],
    ['label', label ?? ''],
    ['log_prob', number(log_prob)],
    ['bits_per_dim', number(bits_per_dim)],
    ...Object.entries(scores).flatMap(([score, { value, p_value, decision }]): [string, string][] => [
      [score, number(value)],
      [`${score}.p_value`, number(p_value)],
      [`${score}.decision`, decision],
    ]),
  ];
}

function quote(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
