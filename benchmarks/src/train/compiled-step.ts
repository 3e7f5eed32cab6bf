// The process that trains on our side: `node compiled-step.js FIXTURE THREADS`. Answers like the peers (peers/harness.py).
import { answerRequests } from '../contestant.js';
import { peakBytes } from '../machine.js';
import { type StepResult, StepRunner } from './step-runner.js';

const [folder, threads] = process.argv.slice(2);
const runner = await StepRunner.create(folder!, { threads: Number(threads) });

await answerRequests(async (request, argument) => {
  switch (request) {
    case 'run': {
      const results: StepResult[] = [];
      for (let step = 0; step < argument; step++) results.push(await runner.step());
      return {
        milliseconds: results.map(({ milliseconds }) => milliseconds),
        cpu_milliseconds: results.map(({ cpuMilliseconds }) => cpuMilliseconds),
        losses: results.map(({ losses }) => losses),
      };
    }
    case 'peak':
      return { peak_bytes: peakBytes() };
    default:
      throw new Error(`request ${request}; known are run and peak`);
  }
});
await runner.close();
