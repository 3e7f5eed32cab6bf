// The runs that executors have been given. As many as there are executors are under way; each of the others waits at an
// executor until the run before it has ended, however late that is.

export interface Run {
  readonly expectedMs: number;
  /** On the clock of `performance.now()`; undefined while it waits. */
  begunAt: number | undefined;
}

export class Runs {
  /** In the order in which they were given. */
  readonly #runs = new Set<Run>();

  get size(): number {
    return this.#runs.size;
  }

  add(expectedMs: number, executors: number, now: number): Run {
    const run: Run = { expectedMs, begunAt: this.#runs.size < executors ? now : undefined };
    this.#runs.add(run);
    return run;
  }

  ended(run: Run, now: number): void {
    this.#runs.delete(run);
    const [next] = this.#waiting();
    if (next !== undefined && run.begunAt !== undefined) next.begunAt = now;
  }

  /** What is left of all of them. */
  leftMs(now: number): number {
    let sum = 0;
    for (const run of this.#runs) sum += leftOf(run, now);
    return sum;
  }

  /** Until the first executor should end its run that has no other waiting behind it; Infinity where all have. */
  untilFreeMs(now: number): number {
    const underWay = [...this.#runs].filter(run => run.begunAt !== undefined).map(run => leftOf(run, now));
    return underWay.sort((a, b) => a - b)[this.#waiting().length] ?? Number.POSITIVE_INFINITY;
  }

  #waiting(): Run[] {
    return [...this.#runs].filter(run => run.begunAt === undefined);
  }
}

function leftOf({ expectedMs, begunAt }: Run, now: number): number {
  return begunAt === undefined ? expectedMs : Math.max(0, begunAt + expectedMs - now);
}
