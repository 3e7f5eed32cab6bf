// How well a score ranks anomalies above normal data. Anomalies are the positive class throughout.

export interface Ranking {
  /** Chance that an anomaly scores above a normal datum; ties count half. */
  readonly auroc: number;
  /** Average precision, and the least that any ranking can have (Boyd et al. 2012, eq. 1). */
  readonly aupr: number;
  readonly auprFloor: number;
  /** Share of normal data that are flagged by the threshold which finds 80 % or 95 % of the anomalies. */
  readonly fpr80: number;
  readonly fpr95: number;
}

/** Each at least one; higher = more anomalous. */
export function rank(normal: ArrayLike<number>, anomalous: ArrayLike<number>): Ranking {
  const [negatives, positives] = [normal.length, anomalous.length];
  const scored = [
    ...Array.from(normal, value => ({ value, positive: 0 })),
    ...Array.from(anomalous, value => ({ value, positive: 1 })),
  ].sort((a, b) => b.value - a.value);
  let [hits, alarms, area, precision, fpr80, fpr95] = [0, 0, 0, 0, 1, 1];
  for (let start = 0; start < scored.length; ) {
    // Equal scores are one threshold.
    let end = start;
    let found = 0;
    for (; end < scored.length && scored[end]!.value === scored[start]!.value; end++) found += scored[end]!.positive;
    const falsely = end - start - found;
    area += falsely * (hits + found / 2);
    precision += (found * (hits + found)) / end;
    if (hits < 0.8 * positives && hits + found >= 0.8 * positives) fpr80 = (alarms + falsely) / negatives;
    if (hits < 0.95 * positives && hits + found >= 0.95 * positives) fpr95 = (alarms + falsely) / negatives;
    hits += found;
    alarms += falsely;
    start = end;
  }
  return {
    auroc: area / positives / negatives,
    aupr: precision / positives,
    auprFloor: auprFloor(positives, negatives),
    fpr80,
    fpr95,
  };
}

/** 1 - (N / P) ln(1 + P / N): the area when every positive is ranked last. */
export function auprFloor(positives: number, negatives: number): number {
  return 1 - (negatives / positives) * Math.log(1 + positives / negatives);
}
