// How many cores this process may use: onnxruntime's own guess counts cores that a container's quota forbids.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Cores granted by the control group (v2, then v1), bounded by the scheduler's affinity; at least 1. */
export function availableCores(read: (path: string) => string | undefined = readIfPresent): number {
  const quota = quotaVersion2(read) ?? quotaVersion1(read) ?? Number.POSITIVE_INFINITY;
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota)));
}

/** Threads of each of `executors` processes when the cores are shared evenly. */
export function threadsPerExecutor(executors: number): number {
  return Math.max(1, Math.floor(availableCores() / executors));
}

function quotaVersion2(read: (path: string) => string | undefined): number | undefined {
  const [quota, period] = read('/sys/fs/cgroup/cpu.max')?.trim().split(' ') ?? [];
  return quota === undefined || quota === 'max' ? undefined : ratio(quota, period);
}

function quotaVersion1(read: (path: string) => string | undefined): number | undefined {
  const quota = read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')?.trim();
  return quota === undefined || quota.startsWith('-')
    ? undefined
    : ratio(quota, read('/sys/fs/cgroup/cpu/cpu.cfs_period_us'));
}

function ratio(quota: string, period: string | undefined): number | undefined {
  const cores = Number(quota) / Number(period);
  return Number.isFinite(cores) && cores > 0 ? cores : undefined;
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // no control group of this version
  }
}
