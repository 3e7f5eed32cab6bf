// Anomaly scores on held-out normal data: the tables that p-values are read from.
import { type BundleGenerator, type Bytes, type Calibration, type Score, writeNpy } from '@genserve/runtime';
import type { Split } from '../data/dataset.js';
import { spread } from './rows.js';
import { scoreValues } from './values.js';

/** Most scores that a table keeps (contract, section 8). */
const TABLE_ROWS = 10_000;

export interface CalibrationOptions {
  /** Also a table for each class of the data, for rows that are known to be of one. */
  readonly perClass?: boolean | undefined;
  /** What the rows are, for the manifest. */
  readonly data: string;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface CalibratedScores {
  readonly scores: Score[];
  /** float64, sorted ascending, by path. */
  readonly tables: ReadonlyMap<string, Bytes>;
}

/**
 * Scores the rows just as a request is scored: grey values in, binarised by the score's own seed. A score that uses labels
 * is calibrated on the rows that have one, each with its own; where none has, it is left without calibration.
 */
export async function calibrateScores(
  generator: BundleGenerator,
  split: Split,
  options: CalibrationOptions,
): Promise<CalibratedScores> {
  const { scores } = generator.manifest;
  const { values, labels } = await scoreValues(generator, spread(split, TABLE_ROWS), {
    onProgress: options.onProgress,
  });
  const tables = new Map<string, Bytes>();
  const tableOf = (path: string, numbers: readonly number[]) => {
    const sorted = Float64Array.from(numbers).sort();
    tables.set(path, writeNpy([sorted.length], sorted));
    return { count: sorted.length, table: path };
  };
  const calibrated = scores.map((score): Score => {
    const found = values.get(score.name)!;
    const rows = [...found.keys()].filter(row => !Number.isNaN(found[row]!));
    if (rows.length === 0) return { ...score, calibration: undefined };
    const classes = options.perClass ? [...new Set(labels)].filter(label => label >= 0).sort((a, b) => a - b) : [];
    const calibration: Calibration = {
      ...tableOf(
        `tables/${score.name}.npy`,
        rows.map(row => found[row]!),
      ),
      data: options.data,
      classes: classes.map(label => {
        const own = rows.filter(row => labels![row] === label).map(row => found[row]!);
        return { label, ...tableOf(`tables/${score.name}.${label}.npy`, own) };
      }),
    };
    return { ...score, calibration };
  });
  return { scores: calibrated, tables };
}
