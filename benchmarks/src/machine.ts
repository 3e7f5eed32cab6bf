// What a measurement depends on besides the code.
import { readFileSync, realpathSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';

export function machine(): Readonly<Record<string, unknown>> {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    node: process.version,
    /** Processes that waited for a core over the last minute: above 0.5 somebody else was at work. */
    load_average: loadavg()[0],
  };
}

/** The library behind libblas.so.3, which decides how fast PyTorch multiplies matrices. */
export function blas(): string {
  try {
    return realpathSync('/etc/alternatives/libblas.so.3-x86_64-linux-gnu');
  } catch {
    return 'unknown';
  }
}

/** Most memory that this process has held, in bytes. */
export function peakBytes(): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  if (!line) throw new Error('/proc/self/status holds no VmHWM');
  return 1024 * Number(line[1]);
}
