// The seam between data and training.
import type { Domain } from '@genserve/runtime';
import type { Augmentation } from './augment.js';

export interface Rows {
  /** float32 [count, ...domain], images in [0, 1] before binarisation. */
  readonly data: Float32Array<ArrayBuffer>;
  /** float32 [count, ...target]; absent where rows are not paired. */
  readonly target?: Float32Array<ArrayBuffer>;
  /** int32 [count]; -1 = no label. Absent for unlabelled data. */
  readonly labels?: Int32Array<ArrayBuffer>;
  /** float32 [count, n]: what a model can be conditioned on, where the source holds a vector for each row. */
  readonly vectors?: Float32Array<ArrayBuffer>;
}

/** A part of a data set. Rows are read by index, so that memory stays bounded and shuffling is a permutation. */
export interface Split {
  readonly count: number;
  /** `into`: an array that is no longer needed, which the data may come in where it is as long. */
  read(indices: readonly number[], into?: Float32Array<ArrayBuffer>): Promise<Rows>;
  /** What a row is called where it has a name: the file of an image. */
  nameOf?(index: number): string;
}

export interface Dataset {
  readonly name: string;
  readonly domain: Domain;
  /** Of the targets of paired rows: what an image-to-image model learns to make of them. */
  readonly target?: Domain;
  /** Of training rows; none when absent. */
  readonly augmentation?: Augmentation;
  readonly train: Split;
  /** Held out of training for calibration and early stopping: cut from train by seed where the source has none. */
  readonly calibration: Split;
  readonly test: Split;
  /** Every row, in the order of the source: for scoring a whole set. */
  readonly all: Split;
  /** SHA-256 of the source data, lower-case hexadecimal. */
  readonly sha256: string;
  readonly licence: string;
  readonly attribution: string;
  /** Share of each class in train; empty for unlabelled data. */
  readonly frequencies: readonly number[];
  /** What was found, for people: "70,000 grey images of 28x28 in 10 classes". */
  readonly summary: string;
  /** How the parts were cut, for the provenance: "train 55,000, calibration 5,000 (of train, by seed 0), test 10,000". */
  readonly split: string;
}
