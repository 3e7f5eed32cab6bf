// What a benchmark hands back, and the table that people read.

export interface Report {
  /** Figures by dotted name, units in the name where there are several: "train.vae.vs_pytorch". */
  readonly metrics: Readonly<Record<string, number>>;
  /** Machine, versions, counts: what the figures depend on. */
  readonly context: Readonly<Record<string, unknown>>;
  /** The same for people, several lines. */
  readonly table: string;
}

/** Columns of equal width; the first to the left, the rest to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ');
  return rows.map(line).join('\n');
}
