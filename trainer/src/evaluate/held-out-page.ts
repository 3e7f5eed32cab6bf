// The page of a held-out experiment: the table, and for each class the pictures that were ranked best and worst.
import { domainShape } from '@genserve/runtime';
import type { Dataset } from '../data/dataset.js';
import { encodeSheet } from '../export/sheet.js';
import { escapeHtml } from '../report/html.js';
import { style } from '../report/style.js';
import { spread } from '../scores/rows.js';
import type { HeldOutResult, RankedImages } from './held-out.js';
import { auprCells, type Cells, chosenCells } from './held-out-table.js';

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
<p>Each model has not seen one class, which is the anomaly (positive) among the test data. Figures x 100.</p></header>
<main><section><h2>Area under the precision-recall curve, by the class that was held out</h2>${table(auprCells(result))}
<p>* chosen on synthetic anomalies, for all classes</p></section>
<section><h2>The chosen scores</h2>${table(chosenCells(result))}</section>${sections.join('')}</main></html>
`;
}

const captions = ({ top, missed, alarms }: RankedImages): [string, readonly number[]][] => [
  ['ranked most anomalous', top],
  ['held out, and ranked lowest', missed],
  ['normal, and ranked highest', alarms],
];

function table({ head, body }: Cells): string {
  const line = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map(text => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  return `<div class="wide"><table>${line('th', head)}${body.map(cells => line('td', cells)).join('')}</table></div>`;
}
