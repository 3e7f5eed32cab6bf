// Rows of numbers side by side: pictures, or what a classifier makes of them.

export interface RowSet {
  readonly count: number;
  /** Numbers of a row. */
  readonly width: number;
  /** [count * width] */
  readonly data: Float32Array;
}

/** Rows first ... first+count-1, fewer where there are fewer; the same memory. */
export function rowRange({ count, width, data }: RowSet, first: number, length: number): RowSet {
  const end = Math.min(count, first + length);
  return { count: end - first, width, data: data.subarray(first * width, end * width) };
}

/** `groups` sets of equally many rows, in order, of at most `largest` rows each; rows that are left over are left out. */
export function rowGroups(rows: RowSet, groups: number, largest = Number.POSITIVE_INFINITY): readonly RowSet[] {
  const size = Math.min(largest, Math.floor(rows.count / groups));
  return Array.from({ length: groups }, (_, group) => rowRange(rows, group * size, size));
}
