// How good samples are while a model trains: a few of the same noise each time, judged against as many held-out rows.
import { type Domain, invalid } from '@genserve/runtime';
import type { Split } from '../../data/dataset.js';
import { classifierScore } from './classifier-score.js';
import { LEAST_ROWS } from './compare.js';
import { frechetDistance } from './frechet-distance.js';
import type { Judge } from './judge.js';
import { kernelDistance } from './kernel-distance.js';
import { drawRows } from './pictures.js';
import type { RowSet } from './row-set.js';

export interface SampleCurveOptions {
  readonly judge: Judge;
  /** Of the samples, whose binarisation the rows get too. */
  readonly domain: Domain;
  /** Samples, and rows of `heldOut`; fewer where there are fewer. */
  readonly count: number;
  readonly seed: number;
}

export class SampleCurve {
  private constructor(
    private readonly judge: Judge,
    private readonly reference: RowSet,
  ) {}

  /** Throws INVALID_ARGUMENT for fewer than 20 rows. */
  static async create(heldOut: Split, { judge, domain, count, seed }: SampleCurveOptions): Promise<SampleCurve> {
    const rows = Math.min(count, heldOut.count);
    if (rows < LEAST_ROWS)
      throw invalid('classifier', `judges samples against at least ${LEAST_ROWS} held-out rows, there are ${rows}`);
    const { images } = await drawRows(heldOut, domain, rows, seed);
    return new SampleCurve(judge, (await judge.judge(images)).features);
  }

  /** Samples that `figures` takes. */
  get count(): number {
    return this.reference.count;
  }

  /**
   * Of rows of height * width * channels: classifier_score; frechet_distance, biased upwards in few rows, for comparing
   * points of one curve alone; kernel_distance with its standard error.
   */
  async figures(images: RowSet): Promise<Record<string, number>> {
    const { features, logits } = await this.judge.judge(images);
    const { distance, standardError } = kernelDistance(features, this.reference);
    return {
      classifier_score: classifierScore(logits).score,
      frechet_distance: frechetDistance(features, this.reference),
      kernel_distance: distance,
      kernel_distance_standard_error: standardError,
    };
  }

  async close(): Promise<void> {
    await this.judge.close();
  }
}
