// Which classes samples are of, as a classifier sees them: a generator that forgets a class forgets it here.

export interface ClassCoverage {
  /** Of each class, 0 to 1. */
  readonly shares: readonly number[];
  /** Classes of at least half the share that equal ones would have: 5 % of ten. */
  readonly covered: number;
  readonly smallestShare: number;
}

export function classCoverage(classes: readonly number[], classCount: number): ClassCoverage {
  const shares = Array.from(
    { length: classCount },
    (_, label) => classes.filter(each => each === label).length / classes.length,
  );
  return {
    shares,
    covered: shares.filter(share => 2 * classCount * share >= 1).length,
    smallestShare: Math.min(...shares),
  };
}
