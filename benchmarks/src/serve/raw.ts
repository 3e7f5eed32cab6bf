// The process that runs onnxruntime and nothing else: `node raw.js BUNDLE SECONDS`. Answers "OPERATION ROWS" after so many
// seconds of runs of so many rows, on one thread, with the milliseconds of each.
import { findOperation } from '@genserve/runtime';
import { answerRequests } from '../contestant.js';
import { openRaw } from './session.js';

const [, , folder = '', seconds] = process.argv;
const bundle = await openRaw(folder);
const measuredMs = 1000 * Number(seconds);

await answerRequests(async (request, rows) => {
  const run = await bundle.prepare(findOperation(bundle.manifest, request), rows);
  await run();
  const milliseconds: number[] = [];
  for (const start = performance.now(); performance.now() - start < measuredMs; ) {
    const before = performance.now();
    await run();
    milliseconds.push(performance.now() - before);
  }
  return { milliseconds };
});
