// Scores of rows of which some have a label.
import { type AnomalyOptions, type AnomalyScore, type BundleGenerator, type Tensor, takeRows } from '@genserve/runtime';

export interface LabelledOptions extends Pick<AnomalyOptions, 'alpha' | 'draws' | 'signal'> {
  /** Names, at least one. */
  readonly scores: readonly string[];
}

/**
 * By name for each row of `data`; a score that uses labels is missing where the row's class is below 0. Labels go to the
 * scores that use them alone: to others they would choose a calibration.
 */
export async function labelledScores(
  generator: BundleGenerator,
  data: Tensor,
  classes: ArrayLike<number>,
  { scores, ...options }: LabelledOptions,
): Promise<ReadonlyMap<string, AnomalyScore>[]> {
  const rows = Array.from({ length: data.shape[0]! }, () => new Map<string, AnomalyScore>());
  const usesLabel = (name: string) => generator.manifest.scores.some(score => score.name === name && score.usesLabel);
  const score = async (names: readonly string[], indices: readonly number[], label?: readonly number[]) => {
    if (names.length === 0 || indices.length === 0) return; // no names would mean the recommended score
    const chosen = label ? takeRows(data, indices) : data;
    const anomalies = await generator.anomaly(chosen, { ...options, scores: names, label });
    anomalies.forEach(({ scores }, i) => {
      for (const score of scores) rows[indices[i]!]!.set(score.name, score);
    });
  };
  const known = [...rows.keys()].filter(row => (classes[row] ?? -1) >= 0);
  await score(
    scores.filter(name => !usesLabel(name)),
    [...rows.keys()],
  );
  await score(
    scores.filter(usesLabel),
    known,
    known.map(row => classes[row]!),
  );
  return rows;
}
