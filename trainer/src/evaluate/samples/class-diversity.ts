// How alike pictures of one class are, against real ones (Odena et al. 2017, sec. 4.2): the AC-GAN paper's check that a
// generator does not draw one picture per class.
import { NoiseStream } from '@genserve/runtime';
import { mean } from '../summary.js';
import type { RowSet } from './row-set.js';
import { multiScaleSimilarity, type Picture } from './structural-similarity.js';

/** Of each class; the paper's number. */
const PAIRS = 100;

/**
 * Mean similarity of random pairs of different rows of each class, by class; none for a class of fewer than two rows.
 * `images`: rows of height * width * channels.
 */
export function classSimilarities(
  images: RowSet,
  classes: readonly number[],
  { shape, classCount, seed }: ClassSimilarityOptions,
): readonly (number | undefined)[] {
  const picture = (row: number): Picture => ({
    ...shape,
    data: images.data.subarray(row * images.width, (row + 1) * images.width),
  });
  return Array.from({ length: classCount }, (_, label) => {
    const rows = [...classes.keys()].filter(row => classes[row] === label);
    if (rows.length < 2) return undefined;
    const pairs = randomPairs(rows, seed, label);
    return mean(pairs.map(([first, second]) => multiScaleSimilarity(picture(first), picture(second))));
  });
}

interface ClassSimilarityOptions {
  readonly shape: Omit<Picture, 'data'>;
  readonly classCount: number;
  readonly seed: number;
}

/** The paper's headline: the share of classes whose samples are less alike than the most alike class of real pictures. */
export function diverseShare(samples: readonly (number | undefined)[], real: readonly (number | undefined)[]): number {
  const most = Math.max(...real.filter(value => value !== undefined));
  return samples.filter(value => value !== undefined && value < most).length / samples.length;
}

function randomPairs(rows: readonly number[], seed: number, label: number): readonly (readonly [number, number])[] {
  const uniform = new Float32Array(2 * PAIRS);
  new NoiseStream(seed, 'class-diversity', 'uniform').fill(uniform, label);
  return Array.from({ length: PAIRS }, (_, pair) => {
    const first = Math.floor(uniform[2 * pair]! * rows.length);
    const other = Math.floor(uniform[2 * pair + 1]! * (rows.length - 1));
    return [rows[first]!, rows[other < first ? other : other + 1]!];
  });
}
