// Likelihood and anomaly scores of a whole set, chunk by chunk, in memory that does not grow with it.
import { throwIfAborted } from '@genserve/runtime';
import type { Split } from '@genserve/trainer';
import type { ScoreChunk, ScoredChunk } from './score-chunk.js';

export interface ScoringOptions {
  /** Rows from `first` up to and without `end`. */
  readonly first: number;
  readonly end: number;
  /** Of one row. */
  readonly shape: readonly number[];
  /** Names of the classes. */
  readonly labels: readonly string[];
  readonly signal: AbortSignal;
}

/** Rows of a chunk: a divisor of the rows of a part of a score file. */
export const CHUNK_ROWS = 256;
/** For each scorer: one chunk is being scored, the next has been read. */
const CHUNKS_AHEAD = 2;

/** Chunks in order. They are dealt out to the scorers in turns, and read while earlier ones are being scored. */
export async function* scoreRows(
  scorers: readonly ScoreChunk[],
  split: Split,
  { first, end, shape, labels: classes, signal }: ScoringOptions,
): AsyncGenerator<ScoredChunk> {
  const spares: ScoredChunk['spare'][] = [];
  const chunk = async (start: number, score: ScoreChunk): Promise<ScoredChunk> => {
    const indices = Array.from({ length: Math.min(CHUNK_ROWS, end - start) }, (_, i) => start + i);
    const { data, labels } = await split.read(indices, spares.pop());
    return await score({
      first: start,
      shape: [indices.length, ...shape],
      data,
      names: split.nameOf && indices.map(row => split.nameOf!(row)),
      labels: labels && Array.from(labels, label => (label < 0 ? undefined : (classes[label] ?? String(label)))),
    });
  };
  const underWay: Promise<ScoredChunk>[] = [];
  let turn = 0;
  for (let next = first; next < end || underWay.length > 0; ) {
    throwIfAborted(signal);
    while (next < end && underWay.length < CHUNKS_AHEAD * scorers.length) {
      const scored = chunk(next, scorers[turn++ % scorers.length]!);
      scored.catch(() => undefined); // heard of when its turn comes, if it does
      underWay.push(scored);
      next += CHUNK_ROWS;
    }
    const scored = await underWay.shift()!;
    spares.push(scored.spare);
    yield scored;
  }
}
