// The figures of a held-out experiment as cells: of every score its AUPR, of the chosen ones all that was measured.
import type { HeldOutResult } from './held-out.js';

export interface Cells {
  readonly head: readonly string[];
  readonly body: readonly (readonly string[])[];
}

/** AUPR x 100: a line for each family and score, the chosen ones marked with *, a column for each class; floor and skew last. */
export function auprCells({ classes, rows, chosen, summaries }: HeldOutResult): Cells {
  const lines = Object.entries(summaries).map(([key, { mean, median, interval }]) => {
    const own = rows.filter(({ family, score }) => `${family}.${score}` === key);
    const { family, score } = own[0]!; // a summary is of its rows
    const auprs = own.map(({ aupr }) => percent(aupr));
    return [
      family,
      chosen[family] === score ? `${score} *` : score,
      ...auprs,
      percent(mean),
      percent(median),
      range(interval),
    ];
  });
  const ofClasses = (name: string, values: readonly number[]) => ['', name, ...values.map(percent), '', '', ''];
  return {
    head: ['family', 'score', ...classes.map(({ name }) => name), 'mean', 'median', '95 % of mean'],
    body: [
      ...lines,
      ofClasses(
        'floor',
        classes.map(({ floor }) => floor),
      ),
      ofClasses(
        'skew',
        classes.map(({ skew }) => skew),
      ),
    ],
  };
}

/** A line for each family and class: AUPR with its bootstrap interval, AUROC and FPR95 of the chosen score, x 100. */
export function chosenCells({ classes, rows, chosen }: HeldOutResult): Cells {
  const own = rows.filter(({ family, score }) => chosen[family] === score);
  const nameOf = (label: number) => classes.find(other => other.label === label)!.name;
  return {
    head: ['family', 'class', 'AUPR', '95 %', 'AUROC', 'FPR95'],
    body: own.map(({ family, label, aupr, auprInterval, auroc, fpr95 }) => [
      ...[family, nameOf(label), percent(aupr), range(auprInterval), percent(auroc), percent(fpr95)],
    ]),
  };
}

const percent = (value: number) => (100 * value).toFixed(2);
const range = (ends: readonly [number, number]) => ends.map(percent).join('-');
