// How well a bundle's scores tell anomalies from normal test data, from the bundle alone.
import { GenserveError, invalid, type Manifest } from '@genserve/runtime';
import type { Dataset, Split } from '../data/dataset.js';
import { type OpenOptions, openGenerator } from '../export/open.js';
import { memorySplit, spread } from '../scores/rows.js';
import { madeAnomalies } from '../scores/synthetic.js';
import { type ScoreValues, scoreValues } from '../scores/values.js';
import { checkShape, type Evaluation } from './evaluate.js';
import { type Ranking, rank } from './ranking.js';

export interface AnomalySource {
  readonly name: string;
  readonly split: Split;
}

export interface AnomalyEvaluationOptions extends OpenOptions {
  /** Test rows of each side, from all over them; all when absent. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface AnomalyRow extends Ranking {
  readonly source: string;
  readonly score: string;
  /** Then the source is `wrong-label`. */
  readonly usesLabel: boolean;
  readonly recommended: boolean;
  /** Ranks anomalies below normal data. */
  readonly inverted: boolean;
}

export interface AnomalyEvaluation extends Evaluation {
  readonly rows: readonly AnomalyRow[];
}

const ALPHAS = [0.01, 0.05, 0.1];
/** Pictures of a made source, where no limit says otherwise. */
const MADE_ROWS = 1000;

/**
 * Every score of models/<name>/<version> on the test rows of `dataset` (normal) and of each source (anomalies, the positive
 * class). A source is a data set, or one of `constant`, `noise` and `emoji`. Metrics: anomaly.<source>.<score>.<figure>,
 * anomaly.auroc of the recommended score on the first source, and false_positives.<score>.<alpha> on the normal rows.
 * Anomalies are of no class of the model, so scores that use labels are not ranked on them: there a normal row with its own
 * label is normal, and the same row with another is the anomaly (source `wrong-label`).
 */
export async function evaluateAnomaly(
  bundle: string,
  dataset: Dataset,
  sources: readonly (string | Dataset)[],
  options: AnomalyEvaluationOptions = {},
): Promise<AnomalyEvaluation> {
  const generator = await openGenerator(bundle, { ...options, joint: true });
  try {
    const { manifest } = generator;
    checkShape(manifest.domain, dataset);
    const named = (usesLabel: boolean) =>
      manifest.scores.filter(score => score.usesLabel === usesLabel).map(({ name }) => name);
    const [first] = sources;
    if (first === undefined || named(false).length === 0)
      throw new GenserveError('OPERATION_UNSUPPORTED', `${manifest.name} has no scores, or there is nothing to score`);
    const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
    const found: AnomalySource[] = [];
    for (const source of sources) found.push(await open(source));
    const normal = spread(dataset.test, limit);
    const wrong = named(true).length > 0 ? [{ name: 'wrong-label', split: wronglyLabelled(normal, manifest) }] : [];
    const total = [...found, ...wrong].reduce((sum, { split }) => sum + split.count, normal.count);
    let before = 0;
    const score = async (split: Split, scores?: readonly string[]): Promise<ScoreValues> => {
      const onProgress = (done: number) => options.onProgress?.(before + done, total);
      const values = await scoreValues(generator, split, { scores, signal: options.signal, onProgress });
      before += split.count;
      return values;
    };
    const usual = await score(normal);
    const rows: AnomalyRow[] = [];
    const rankAll = async ({ name: source, split }: AnomalySource, scores: readonly string[]) => {
      const unusual = await score(split, scores);
      for (const [name, values] of unusual.values) {
        const [negatives, positives] = [usual.values.get(name)!.filter(isKnown), values.filter(isKnown)];
        if (negatives.length === 0 || positives.length === 0) continue; // rows without labels
        const { recommended, usesLabel } = manifest.scores.find(score => score.name === name)!;
        const ranking = rank(negatives, positives);
        rows.push({ source, score: name, usesLabel, recommended, inverted: ranking.auroc < 0.5, ...ranking });
      }
    };
    for (const source of found) await rankAll(source, named(false));
    for (const source of wrong) await rankAll(source, named(true));
    const recommended = rows.find(row => row.recommended) ?? rows[0]!;
    return {
      rows,
      metrics: {
        'anomaly.auroc': recommended.auroc,
        ...Object.fromEntries(rows.flatMap(metricsOf)),
        ...falsePositives(usual),
      },
      context: {
        bundle: `${manifest.name}/${manifest.version}`,
        normal: dataset.name,
        normal_rows: normal.count,
        anomalies: found.map(({ name, split }) => `${name} (${split.count} rows)`).join(', '),
        positive_class: 'anomaly',
        recommended: recommended.score,
        ...(wrong.length > 0 && {
          using_labels: `${named(true).join(', ')}: normal rows with their own label against the same rows with a wrong one`,
        }),
        binarisation: manifest.domain?.image?.binarisation ?? 'none',
      },
    };

    async function open(source: string | Dataset): Promise<AnomalySource> {
      if (typeof source !== 'string') {
        checkShape(manifest.domain, source);
        return { name: source.name, split: spread(source.test, limit) };
      }
      const image = manifest.domain?.image;
      const made = image && (await madeAnomalies[source]?.(image, Math.min(limit, MADE_ROWS)));
      if (made) return { name: source, split: memorySplit(made.rows, made.count) };
      throw invalid(
        'anomaly',
        `${source} cannot be made for this model; there is ${Object.keys(madeAnomalies).join(', ')}`,
      );
    }
  } finally {
    await generator.close();
  }
}

const isKnown = (value: number) => !Number.isNaN(value);

/** The same rows, each with a label that is not its own: all others of the model in turns. */
function wronglyLabelled(split: Split, { conditions }: Manifest): Split {
  const classes = conditions.find(({ kind }) => kind === 'label')?.size ?? 0;
  const wrongOf = (label: number, index: number) =>
    label < 0 || classes < 2 ? -1 : (label + 1 + (index % (classes - 1))) % classes;
  return {
    count: split.count,
    async read(indices) {
      const { data, labels } = await split.read(indices);
      return { data, ...(labels && { labels: labels.map((label, i) => wrongOf(label, indices[i]!)) }) };
    },
  };
}

function metricsOf({ source, score, auroc, aupr, auprFloor, fpr80, fpr95 }: AnomalyRow): [string, number][] {
  const figures = { auroc, aupr, aupr_floor: auprFloor, fpr80, fpr95 };
  return Object.entries(figures).map(([name, value]) => [`anomaly.${source}.${score}.${name}`, value]);
}

/** Share of normal rows that are called anomalous, by score and alpha. */
function falsePositives({ pValues }: ScoreValues): Record<string, number> {
  const entries = [...pValues].flatMap(([score, p]) =>
    ALPHAS.map(alpha => {
      const flagged = p.filter(value => value <= alpha).length;
      // Rows without the label that a score uses have no p-value; those of an uncalibrated score neither.
      return [`false_positives.${score}.${alpha}`, flagged / (p.filter(isKnown).length || 1)] as const;
    }),
  );
  return Object.fromEntries(entries);
}
