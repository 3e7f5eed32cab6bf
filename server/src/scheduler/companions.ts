// Whether it pays to hold a batch back for the requests that shared the batch before.
// Callers who wait for an answer before they ask again come back together: without a short wait the first of them
// would run alone while the others queue behind it.

interface LastBatch {
  readonly members: number;
  readonly endedAt: number;
}

export interface Verdict {
  readonly waitMs: number;
  readonly waited: 'none' | 'companions' | 'delay';
}

export class Companions {
  readonly #last = new Map<string, LastBatch>();

  constructor(private readonly maxDelayMs: number) {}

  ended(group: string, members: number, now: number): void {
    this.#last.delete(group);
    this.#last.set(group, { members, endedAt: now });
    for (const [key, { endedAt }] of this.#last) {
      if (now - endedAt <= this.#memoryMs) break; // oldest first
      this.#last.delete(key);
    }
  }

  /**
   * Whether a batch should still wait for more members, and if not, what its waiting came to: all companions are there, or
   * the delay, counted from the end of the batch before, is over. `none` where waiting cannot pay: an idle group, or a
   * fixed cost per run too small to be worth sharing.
   */
  verdict(group: string, members: number, fixedMs: number, now: number): Verdict {
    const delayMs = this.delayMs(fixedMs);
    const last = this.#last.get(group);
    if (last === undefined || last.members < 2 || delayMs === 0) return { waitMs: 0, waited: 'none' };
    if (members >= last.members) return { waitMs: 0, waited: 'companions' };
    return { waitMs: Math.max(0, last.endedAt + delayMs - now), waited: 'delay' };
  }

  /** Longest wait where a run has this fixed cost. */
  delayMs(fixedMs: number): number {
    const delayMs = Math.min(this.maxDelayMs, fixedMs / 2);
    return delayMs < 1 ? 0 : delayMs;
  }

  get #memoryMs(): number {
    return 4 * this.maxDelayMs;
  }
}
