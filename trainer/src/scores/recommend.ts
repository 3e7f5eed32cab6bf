// Which score a bundle recommends: the one that ranks synthetic anomalies best, decided once, when it is exported.
import type { BundleGenerator, Score } from '@genserve/runtime';
import type { Split } from '../data/dataset.js';
import { rank } from '../evaluate/ranking.js';
import { memorySplit, spread } from './rows.js';
import { syntheticAnomalies } from './synthetic.js';
import { scoreValues } from './values.js';

const ROWS_PER_KIND = 500;

export interface Recommendation {
  readonly scores: Score[];
  /** recommendation.<score>.<kind>: AUROC, and recommendation.<score>: their mean. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface RecommendOptions {
  /** Rows that have been scored, of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** The first score stands where the data are not pictures, of which anomalies can be made. */
export async function recommendScore(
  generator: BundleGenerator,
  normal: Split,
  { onProgress, onWarning }: RecommendOptions = {},
): Promise<Recommendation> {
  const { domain, scores: all } = generator.manifest;
  // Anomalies have no label, and a request need not have one.
  const scores = all.filter(({ usesLabel }) => !usesLabel);
  const metrics: Record<string, number> = {};
  if (domain?.image && scores.length > 1) {
    const anomalies = await syntheticAnomalies(normal, domain.image, ROWS_PER_KIND, onWarning);
    const usualRows = spread(normal, ROWS_PER_KIND);
    const total = anomalies.reduce((sum, { count }) => sum + count, usualRows.count);
    let before = 0;
    const score = async (split: Split) => {
      const scored = await scoreValues(generator, split, {
        scores: scores.map(({ name }) => name),
        onProgress: done => onProgress?.(before + done, total),
      });
      before += split.count;
      return scored;
    };
    const usual = await score(usualRows);
    const sums = new Map<string, number>();
    for (const { kind, rows, count } of anomalies) {
      const unusual = await score(memorySplit(rows, count));
      for (const { name } of scores) {
        const { auroc } = rank(usual.values.get(name)!, unusual.values.get(name)!);
        metrics[`recommendation.${name}.${kind}`] = auroc;
        sums.set(name, (sums.get(name) ?? 0) + auroc / anomalies.length);
      }
    }
    for (const [name, mean] of sums) metrics[`recommendation.${name}`] = mean;
  }
  const mean = (name: string) => metrics[`recommendation.${name}`] ?? 0;
  const best = scores.reduce((best, score) => (mean(score.name) > mean(best.name) ? score : best));
  return { scores: all.map(score => ({ ...score, recommended: score === best })), metrics };
}
