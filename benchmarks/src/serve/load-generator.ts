// The process that asks: a plan a line on standard input, its outcome in answer.
import { fillNoise } from '@genserve/runtime';
import { answerRequests } from '../contestant.js';
import { grpcCaller } from './grpc-caller.js';
import { type Answer, type Caller, httpCaller } from './http-caller.js';
import { type Outcome, plan } from './plan.js';

/** One whose connection or call broke off counts, too. */
const noAnswer: Answer = { status: 0, retryAfter: false };

class Recorder {
  readonly dueMs: number[] = [];
  readonly latencyMs: number[] = [];
  readonly lagMs: number[] = [];
  readonly status: number[] = [];
  retryAfter = 0;
  readonly #start = performance.now();
  readonly #cpu = process.cpuUsage();

  get nowMs(): number {
    return performance.now() - this.#start;
  }

  async call(caller: Caller, dueMs = this.nowMs): Promise<void> {
    const lagMs = this.nowMs - dueMs;
    const { status, retryAfter } = await caller.call().catch(() => noAnswer);
    this.dueMs.push(dueMs);
    this.latencyMs.push(this.nowMs - dueMs);
    this.lagMs.push(lagMs);
    this.status.push(status);
    if (retryAfter) this.retryAfter += 1;
  }

  get outcome(): Outcome {
    const { dueMs, latencyMs, lagMs, status, retryAfter, nowMs } = this;
    const { user, system } = process.cpuUsage(this.#cpu);
    return { dueMs, latencyMs, lagMs, status, retryAfter, elapsedMs: nowMs, cpuMs: (user + system) / 1000 };
  }
}

async function closedLoop(caller: Caller, concurrency: number, milliseconds: number): Promise<Outcome> {
  const recorder = new Recorder();
  const callers = Array.from({ length: concurrency }, async () => {
    while (recorder.nowMs < milliseconds) await recorder.call(caller);
  });
  await Promise.all(callers);
  return recorder.outcome;
}

/** Independent exponential gaps; latency counts from when a request was due, so that a stall is not overlooked. */
async function openLoop(caller: Caller, rate: number, milliseconds: number): Promise<Outcome> {
  const count = Math.ceil((rate * milliseconds) / 1000);
  const uniforms = fillNoise({ seed: 1, name: 'arrivals', distribution: 'uniform', shape: [count] });
  const recorder = new Recorder();
  const calls: Promise<void>[] = [];
  let dueMs = 0;
  for (const uniform of uniforms) {
    dueMs -= (1000 / rate) * Math.log(uniform);
    if (dueMs > milliseconds) break;
    const waitMs = dueMs - recorder.nowMs;
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs));
    calls.push(recorder.call(caller, dueMs));
  }
  await Promise.all(calls);
  return recorder.outcome;
}

await answerRequests(async line => {
  const { call, seconds, concurrency = 1, rate } = plan.parse(JSON.parse(line));
  const caller = call.transport === 'http' ? httpCaller(call) : grpcCaller(call);
  try {
    if (rate !== undefined) return await openLoop(caller, rate, 1000 * seconds);
    return await closedLoop(caller, concurrency, 1000 * seconds);
  } finally {
    caller.close();
  }
});
