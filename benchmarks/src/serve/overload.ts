// Three times what the server can do, for a while, and what comes after.
import type { Manifest } from '@genserve/runtime';
import { defaultMaxWaitMs } from '@genserve/server';
import { median, quantile } from '../statistics.js';
import { sampleCall } from './calls.js';
import type { Contestants } from './contestants.js';
import type { Figures } from './measure.js';
import type { Outcome } from './plan.js';

export interface OverloadOptions {
  /** Samples of a request. */
  readonly count: number;
  /** Of the load. */
  readonly seconds: number;
}

const factor = 3;
const peakCallers = 8;
const peakSeconds = 5;
const quietSeconds = 3;
/** Latency is normal again below so many times what it was before. */
const normal = 2;

export async function measureOverload(
  contestants: Contestants,
  { name }: Manifest,
  { count, seconds }: OverloadOptions,
): Promise<Figures> {
  const call = sampleCall('http', await contestants.servedPorts(), name, count);
  const quiet = await contestants.load({ call, seconds: quietSeconds, concurrency: 1 });
  const peak = await contestants.load({ call, seconds: peakSeconds, concurrency: peakCallers });
  const peakPerSecond = (1000 * peak.status.filter(code => code === 200).length) / peak.elapsedMs;
  if (peakPerSecond === 0) throw new Error(`no request was answered; the first came back with ${peak.status[0]}`);
  const load = await contestants.load({ call, seconds, rate: factor * peakPerSecond });
  const after = await contestants.load({ call, seconds: quietSeconds, concurrency: 1 });
  const usualMs = quantile(quiet.latencyMs, 0.9);
  const accepted = latenciesOf(load, 200);
  const refused = latenciesOf(load, 429);
  const inTime = load.status.filter((code, i) => code === 200 && load.dueMs[i]! + load.latencyMs[i]! <= 1000 * seconds);
  return {
    'overload.peak_per_second': peakPerSecond,
    'overload.offered_per_second': load.status.length / seconds,
    'overload.schedule_lag_ms.p99': quantile(load.lagMs, 0.99),
    'overload.goodput_fraction': inTime.length / seconds / peakPerSecond,
    'overload.accepted_ms.p50': median(accepted),
    'overload.accepted_ms.p99': quantile(accepted, 0.99),
    // Their wait and their own run.
    'overload.accepted_vs_limit': quantile(accepted, 0.99) / (defaultMaxWaitMs + usualMs),
    'overload.refused': refused.length,
    'overload.refused_ms.p99': refused.length > 0 ? quantile(refused, 0.99) : 0,
    'overload.refused_with_retry_after': refused.length > 0 ? load.retryAfter / refused.length : 1,
    'overload.other_answers': load.status.length - accepted.length - refused.length,
    'overload.recovery_s': recoverySeconds(after, normal * usualMs, load, seconds),
  };
}

function latenciesOf({ status, latencyMs }: Outcome, code: number): number[] {
  return latencyMs.filter((_, i) => status[i] === code);
}

/** From the end of the load until requests take as long as they did before it; all that was watched where they never did. */
function recoverySeconds(after: Outcome, limitMs: number, load: Outcome, seconds: number): number {
  // The generator hands over once the last request of the load is answered.
  const handOverMs = load.elapsedMs - 1000 * seconds;
  const first = after.latencyMs.findIndex(latency => latency <= limitMs);
  return (handOverMs + (first < 0 ? after.elapsedMs : after.dueMs[first]!)) / 1000;
}
