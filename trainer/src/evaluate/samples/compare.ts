// Every measure of judged pictures against judged real ones, by name.
import { type ClassCoverage, classCoverage } from './class-coverage.js';
import { classSimilarities, diverseShare } from './class-diversity.js';
import { classifierScore } from './classifier-score.js';
import { frechetDistance } from './frechet-distance.js';
import type { Judgement } from './judge.js';
import { kernelDistance } from './kernel-distance.js';
import { precisionRecall } from './precision-recall.js';
import { type RowSet, rowRange } from './row-set.js';
import type { Picture } from './structural-similarity.js';

/** Pictures with what the classifier makes of them. */
export interface Judged {
  readonly images: RowSet;
  /** Asked for, or the data's; -1: none. */
  readonly labels: readonly number[];
  readonly judgement: Judgement;
}

/** Real pictures to compare with. */
export interface Reference extends Judged {
  readonly similarities: ClassSimilarities;
}

type ClassSimilarities = ReturnType<typeof classSimilarities>;

export interface CompareOptions {
  readonly shape: Omit<Picture, 'data'>;
  readonly classNames: readonly string[];
  readonly seed: number;
}

/** Precision and recall are of the first rows: work grows with their square. */
export const PRECISION_ROWS = 3000;
/** Below, ten groups hold no two rows, nor a row three neighbours. */
export const LEAST_ROWS = 20;

export function referenceOf(real: Judged, options: CompareOptions): Reference {
  return { ...real, similarities: similaritiesOf(real, options) };
}

/**
 * classifier_score, frechet_distance, kernel_distance (with spreads and a standard error), precision, recall, classes_covered and
 * class_share.<label>, ms_ssim.<label>, ms_ssim and ms_ssim_diverse_classes; gan_test_accuracy, the share of labelled
 * rows that the classifier gives their label. Similarities and shares lie between 0 and 1.
 */
export function compare(judged: Judged, real: Reference, options: CompareOptions): Readonly<Record<string, number>> {
  const { features, logits, classes } = judged.judgement;
  const reference = real.judgement.features;
  const { score, spread } = classifierScore(logits);
  const kernel = kernelDistance(features, reference);
  const few = Math.min(PRECISION_ROWS, features.count, reference.count);
  const { precision, recall } = precisionRecall(rowRange(features, 0, few), rowRange(reference, 0, few));
  return {
    classifier_score: score,
    classifier_score_spread: spread,
    frechet_distance: frechetDistance(features, reference),
    kernel_distance: kernel.distance,
    kernel_distance_spread: kernel.spread,
    kernel_distance_standard_error: kernel.standardError,
    precision,
    recall,
    ...coverageFigures(classCoverage(classes, options.classNames.length), options.classNames),
    ...similarityFigures(judged, real, options),
    ...accuracyFigure(judged),
  };
}

function coverageFigures({ covered, smallestShare, shares }: ClassCoverage, names: readonly string[]) {
  return {
    classes_covered: covered,
    smallest_class_share: smallestShare,
    ...Object.fromEntries(shares.map((share, label) => [`class_share.${names[label]}`, share])),
  };
}

function similarityFigures(judged: Judged, { similarities: ceiling }: Reference, options: CompareOptions) {
  const samples = similaritiesOf(judged, options);
  const known = samples.filter(value => value !== undefined);
  return {
    ...(known.length > 0 && { ms_ssim: known.reduce((sum, value) => sum + value, 0) / known.length }),
    ms_ssim_diverse_classes: diverseShare(samples, ceiling),
    ...Object.fromEntries(
      samples.flatMap((value, label) => (value === undefined ? [] : [[`ms_ssim.${options.classNames[label]}`, value]])),
    ),
  };
}

function similaritiesOf(judged: Judged, { shape, classNames, seed }: CompareOptions): ClassSimilarities {
  return classSimilarities(judged.images, classesOf(judged), { shape, classCount: classNames.length, seed });
}

function accuracyFigure({ labels, judgement }: Judged): Readonly<Record<string, number>> {
  const labelled = [...labels.keys()].filter(row => labels[row]! >= 0);
  if (labelled.length === 0) return {};
  const right = labelled.filter(row => judgement.classes[row] === labels[row]).length;
  return { gan_test_accuracy: right / labelled.length };
}

/** The label where there is one, else what the classifier sees. */
const classesOf = ({ labels, judgement }: Judged): readonly number[] =>
  labels.map((label, row) => (label >= 0 ? label : judgement.classes[row]!));
