// How runs go now, compared with what was predicted of them: the cost of an operation changes slowly, the machine's share
// that is left for it may change at once.

const recent = 0.2;
/** One run that was held up says no more than this. */
const slowest = 10;
const fastest = 0.5;

export class Pace {
  /** What predictions are multiplied by. */
  factor = 1;

  observe(expectedMs: number, tookMs: number): void {
    if (expectedMs <= 0) return;
    const ratio = Math.min(slowest, Math.max(fastest, tookMs / expectedMs));
    this.factor += recent * (ratio - this.factor);
  }
}
