// The page of a held-out experiment: the table, and for each class the pictures that were ranked best and worst.
import { domainShape } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { encodeSheet } from '../export/sheet.js';
import { escapeHtml } from '../report/html.js';
import { style } from '../report/style.js';
import { spread } from '../scores/rows.js';
import type { HeldOutResult, HeldOutRow, RankedImages } from './held-out.js';

/** `rows` are the test rows that were scored, of how many they were. */
export async function heldOutPage(result: HeldOutResult, dataset: Dataset, rows = dataset.test.count): Promise<string> {
  const test = spread(dataset.test, rows);
  const sections: string[] = [];
  for (const { label, name } of result.classes) {
    const figures: string[] = [];
    for (const images of result.images.filter(item => item.label === label)) {
      const figure = async (title: string, chosen: readonly number[]) => {
        const { data } = await test.read(chosen);
        const sheet = { dtype: 'float32', shape: [chosen.length, ...domainShape(dataset.domain)], data } as const;
        const png = (await encodeSheet(sheet, chosen.length)).toString('base64');
        return `<figure><figcaption>${title}</figcaption><img alt="${title}" src="data:image/png;base64,${png}"></figure>`;
      };
      figures.push(`<h3>${escapeHtml(images.family)}, ${escapeHtml(result.chosen[images.family]!)}</h3>`);
      for (const [title, chosen] of captions(images)) if (chosen.length > 0) figures.push(await figure(title, chosen));
    }
    sections.push(`<section><h2>Without ${escapeHtml(name)}</h2>${figures.join('')}</section>`);
  }
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Held-out classes of ${escapeHtml(result.data)}</title><style>${style}</style>
<header><h1>Held-out classes of ${escapeHtml(result.data)}</h1>
<p>Each model has not seen one class, which is the anomaly (positive) among the test data. AUPR x 100.</p></header>
<main><section>${table(result)}</section>${sections.join('')}</main></html>
`;
}

const captions = ({ top, missed, alarms }: RankedImages): [string, readonly number[]][] => [
  ['ranked most anomalous', top],
  ['held out, and ranked lowest', missed],
  ['normal, and ranked highest', alarms],
];

function table({ classes, rows, chosen, summaries }: HeldOutResult): string {
  const cell = (tag: string, text: string) => `<${tag}>${text}</${tag}>`;
  const percent = (value: number) => (100 * value).toFixed(2);
  const columns = Object.entries(chosen).flatMap(([family, best]) => {
    const scores = [...new Set(rows.filter(row => row.family === family).map(row => row.score))];
    return scores.map(score => ({ family, score, best: score === best }));
  });
  const find = (family: string, score: string, label: number): HeldOutRow | undefined =>
    rows.find(row => row.family === family && row.score === score && row.label === label);
  const head = [
    'class',
    'skew',
    'floor',
    ...columns.map(({ family, score, best }) => `${family} ${score}${best ? ' *' : ''}`),
  ];
  const body = classes.map(({ label, name, skew, floor }) => [
    escapeHtml(name),
    percent(skew),
    percent(floor),
    ...columns.map(({ family, score }) => percent(find(family, score, label)?.aupr ?? 0)),
  ]);
  const foot = (['mean', 'median'] as const).map(figure => [
    figure,
    '',
    '',
    ...columns.map(({ family, score }) => percent(summaries[`${family}.${score}`]![figure])),
  ]);
  const line = (tag: string) => (cells: readonly string[]) => `<tr>${cells.map(text => cell(tag, text)).join('')}</tr>`;
  return `<table>${line('th')(head)}${[...body, ...foot].map(line('td')).join('')}</table><p>* chosen on synthetic anomalies, for all classes</p>`;
}
