// Threads that score chunks of rows side by side. A session of one thread on each core does more than one session on all of
// them, which waits for its slowest thread at every operation; and what is done besides runs beside them.
import { Worker } from 'node:worker_threads';
import { type BundleGenerator, type ErrorJson, GenserveError } from '@genserve/runtime';
import { availableCores } from '@genserve/server/cores';
import { type Chunk, type ScoreChunk, type ScoreChunkOptions, type ScoredChunk, scoreChunk } from './score-chunk.js';

export interface ScoreWorkerData {
  /** models/<name>/<version> */
  readonly folder: string;
  readonly options: Omit<ScoreChunkOptions, 'signal'>;
}

export interface ScoreRequest {
  readonly id: number;
  readonly chunk: Chunk;
}

export interface ScoreReply {
  readonly id: number;
  readonly scored?: ScoredChunk;
  readonly error?: ErrorJson;
}

export interface Scorers {
  readonly chunks: readonly ScoreChunk[];
  close(): Promise<void>;
}

/** Of a thread's heap: what belongs to a chunk dies before it is moved. */
const YOUNG_MIB = 64;
/** Rows for which a thread is worth its start, about a second. */
const FEWEST_ROWS = 4096;

interface Waiting {
  readonly resolve: (scored: ScoredChunk) => void;
  readonly reject: (error: GenserveError) => void;
}

/** For so many rows of the bundle in `folder`, opened as `generator`: a thread for each core, or the caller's own where they are few. */
export function openScorers(
  generator: BundleGenerator,
  folder: string,
  rows: number,
  { signal, ...options }: ScoreChunkOptions,
): Scorers {
  const threads = Math.min(availableCores(), Math.floor(rows / FEWEST_ROWS));
  if (threads < 2) {
    const score: ScoreChunk = chunk => scoreChunk(generator, chunk, { signal, ...options });
    return { chunks: [score], close: async () => undefined };
  }
  const workers = Array.from({ length: threads }, () => startWorker({ folder, options }));
  return {
    chunks: workers.map(({ score }) => score),
    async close() {
      await Promise.all(workers.map(worker => worker.close()));
    },
  };
}

function startWorker(data: ScoreWorkerData): { score: ScoreChunk; close(): Promise<void> } {
  const worker = new Worker(new URL('score-worker.js', import.meta.url), {
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
  });
  const waiting = new Map<number, Waiting>();
  let lost: GenserveError | undefined;
  let sent = 0;
  const lose = (error: GenserveError) => {
    lost ??= error;
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
  };
  worker.on('message', ({ id, scored, error }: ScoreReply) => {
    const { resolve, reject } = waiting.get(id)!; // it answers what it was asked
    waiting.delete(id);
    if (scored) resolve(scored);
    else reject(GenserveError.fromJSON(error!));
  });
  worker.on('error', error => lose(GenserveError.from(error)));
  worker.on('exit', code => lose(new GenserveError('INTERNAL', `a thread that scores ended with ${code}`)));
  return {
    score: chunk =>
      new Promise((resolve, reject) => {
        if (lost) return reject(lost);
        const request: ScoreRequest = { id: sent++, chunk };
        waiting.set(request.id, { resolve, reject });
        worker.postMessage(request, [chunk.data.buffer]);
      }),
    async close() {
      await worker.terminate();
    },
  };
}
