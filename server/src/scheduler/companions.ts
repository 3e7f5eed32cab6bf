// Whether it pays to hold a batch back for the requests that shared the batch before.
// Callers who wait for an answer before they ask again come back together: without a short wait the first of them
// would run alone while the others queue behind it.

interface LastBatch {
  readonly members: number;
  readonly endedAt: number;
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
   * Milliseconds to wait for more members, counted from the end of the batch before; 0 where waiting cannot pay: an
   * idle group, all companions present, or a fixed cost per run too small to be worth sharing.
   */
  waitMs(group: string, members: number, fixedMs: number, now: number): number {
    const last = this.#last.get(group);
    if (last === undefined || members >= last.members) return 0;
    const delayMs = Math.min(this.maxDelayMs, fixedMs / 2);
    return delayMs < 1 ? 0 : Math.max(0, last.endedAt + delayMs - now);
  }

  get #memoryMs(): number {
    return 4 * this.maxDelayMs;
  }
}
