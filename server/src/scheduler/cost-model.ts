// What a run of one operation costs: milliseconds = fixed + perRow * rows, fitted to the runs seen, recent ones counting
// more; and, since caches make some batches dearer than their rows, what each size of batch has cost.

const decay = 0.98;
/** Rows of the first step of an operation whose cost nobody knows yet. */
const unmeasuredRows = 8;
/** A smaller batch is as good while its rows cost at most so much more. */
const indifference = 1.05;
/** After so many runs, one that takes so many times what was predicted counts as that. */
const settledWeight = 3;
const greatestSurprise = 3;
/** Added to each run where sizes of batches are compared: from the front to the executor and back. */
const leastTransportMs = 0.15;
const recent = 0.2;

export class CostModel {
  #weight = 0;
  #rows = 0;
  #rowsSquared = 0;
  #milliseconds = 0;
  #product = 0;
  /** What an executor spends on each run besides computing: while it is at that it takes no other. */
  transportMs = 0;
  /** Milliseconds per row by the power of two below the rows. */
  readonly #perRow = new Map<number, number>();

  observe(rows: number, took: number): void {
    // A run that the system held up says little of the next.
    const milliseconds = this.#weight < settledWeight ? took : Math.min(took, greatestSurprise * this.predictMs(rows));
    this.#weight = this.#weight * decay + 1;
    this.#rows = this.#rows * decay + rows;
    this.#rowsSquared = this.#rowsSquared * decay + rows * rows;
    this.#milliseconds = this.#milliseconds * decay + milliseconds;
    this.#product = this.#product * decay + rows * milliseconds;
    const size = powerBelow(rows);
    const perRow = milliseconds / rows;
    this.#perRow.set(size, 0.8 * (this.#perRow.get(size) ?? perRow) + 0.2 * perRow);
  }

  observeTransport(milliseconds: number): void {
    this.transportMs += recent * (milliseconds - this.transportMs);
  }

  /** Least squares with neither part below zero; all per row while only one batch size has been seen. */
  fit(): { fixedMs: number; perRowMs: number } {
    if (this.#weight === 0) return { fixedMs: 0, perRowMs: 0 };
    const spread = this.#weight * this.#rowsSquared - this.#rows * this.#rows;
    const meanRows = this.#rows / this.#weight;
    const meanMs = this.#milliseconds / this.#weight;
    const throughOrigin = { fixedMs: 0, perRowMs: this.#product / this.#rowsSquared };
    if (spread <= 1e-9 * this.#weight * this.#rowsSquared) return throughOrigin;
    const perRowMs = (this.#weight * this.#product - this.#rows * this.#milliseconds) / spread;
    if (perRowMs <= 0) return { fixedMs: meanMs, perRowMs: 0 };
    const fixedMs = meanMs - perRowMs * meanRows;
    return fixedMs < 0 ? throughOrigin : { fixedMs, perRowMs };
  }

  predictMs(rows: number): number {
    const { fixedMs, perRowMs } = this.fit();
    return fixedMs + perRowMs * rows;
  }

  /** Most rows, a power of two up to `maxRows`, whose run is predicted to end within `stepMs`; at least 1. */
  rowsWithin(stepMs: number, maxRows: number): number {
    const { fixedMs, perRowMs } = this.fit();
    const measured = perRowMs === 0 ? maxRows : (stepMs - fixedMs) / perRowMs;
    const rows = this.#weight === 0 ? unmeasuredRows : measured;
    return powerBelow(Math.min(maxRows, Math.max(1, rows)));
  }

  /** Of the batches up to `limit` rows, a power of two, the size whose rows are cheapest: callers are joined up to it. */
  cheapestRows(limit: number): number {
    const cost = (rows: number) => leastTransportMs / rows + (this.#perRow.get(rows) ?? this.predictMs(rows) / rows);
    let cheapest = limit;
    for (let rows = limit / 2; rows >= 1; rows /= 2) {
      if (cost(rows) * indifference < cost(cheapest)) cheapest = rows;
    }
    return cheapest;
  }

  /** The share of one row's work that is predicted to fit into `stepMs`; at most 1. */
  shareWithin(stepMs: number): number {
    return Math.min(1, stepMs / Math.max(this.predictMs(1), Number.MIN_VALUE));
  }

  /** Rows that may share a slice: until they double its time. At least 1. */
  rowsOfSlice(maxRows: number): number {
    const { fixedMs, perRowMs } = this.fit();
    return Math.min(maxRows, perRowMs === 0 ? maxRows : Math.floor(fixedMs / perRowMs) + 2);
  }
}

function powerBelow(rows: number): number {
  return 2 ** Math.floor(Math.log2(rows));
}
