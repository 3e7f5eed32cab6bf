// A thread of `genserve score`: a bundle of its own, on sessions of one thread each.
import { parentPort, workerData } from 'node:worker_threads';
import { GenserveError } from '@genserve/runtime';
import { openGenerator } from '@genserve/trainer/bundles';
import { scoreChunk } from './score-chunk.js';
import type { ScoreReply, ScoreRequest, ScoreWorkerData } from './score-workers.js';
import { CHUNK_ROWS } from './scoring.js';

const { folder, options } = workerData as ScoreWorkerData; // what score-workers.ts starts it with
const port = parentPort!; // started as a thread alone
const generator = openGenerator(folder, { threads: 1, mostRows: CHUNK_ROWS });

port.on('message', async ({ id, chunk }: ScoreRequest) => {
  const reply = await answer();
  port.postMessage(reply, reply.scored ? [reply.scored.spare.buffer] : []);

  async function answer(): Promise<ScoreReply> {
    try {
      return { id, scored: await scoreChunk(await generator, chunk, options) };
    } catch (error) {
      return { id, error: GenserveError.from(error).toJSON() };
    }
  }
});
