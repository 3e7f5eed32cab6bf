// The process that trains on our side: `node compiled-step.js FIXTURE THREADS`. Answers like the peers (peers/harness.py).
import { answerRequests } from '../contestant.js';
import { peakBytes } from '../machine.js';
import { StepRunner } from './step-runner.js';

const [folder, threads] = process.argv.slice(2);
const runner = await StepRunner.create(folder!, { threads: Number(threads) });

await answerRequests(async (request, argument) => {
  switch (request) {
    case 'run': {
      const milliseconds: number[] = [];
      const losses: number[][] = [];
      for (let step = 0; step < argument; step++) {
        const result = await runner.step();
        milliseconds.push(result.milliseconds);
        losses.push(result.losses);
      }
      return { milliseconds, losses };
    }
    case 'peak':
      return { peak_bytes: peakBytes() };
    default:
      throw new Error(`request ${request}; known are run and peak`);
  }
});
await runner.close();
