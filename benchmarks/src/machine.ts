// What a measurement depends on besides the code.
import { readFileSync, realpathSync } from 'node:fs';

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
