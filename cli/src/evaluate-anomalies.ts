// `genserve evaluate --anomaly`: how well every score of a bundle tells anomalies from normal data.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, parseManifest } from '@genserve/runtime';
import type { AnomalyRow, Dataset } from '@genserve/trainer';
import { interruptible } from './interrupt.js';
import { openDataFor } from './model-data.js';
import { print, printFigures, table } from './output.js';
import { counter } from './progress.js';

export interface AnomalyFlags {
  readonly data: string;
  readonly anomaly?: string;
  readonly limit?: number;
  readonly variant?: string;
  readonly json?: boolean;
}

export async function evaluateAnomalies(folder: string, flags: AnomalyFlags): Promise<void> {
  const { data, anomaly, limit, variant } = flags;
  if (anomaly === undefined) throw invalid('anomaly', 'must name the data that are anomalies, e.g. --anomaly mnist');
  const { evaluateAnomaly, madeAnomalies } = await import('@genserve/trainer');
  const manifest = parseManifest(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')));
  const dataset = await openDataFor(manifest, data);
  const sources: (string | Dataset)[] = [];
  for (const name of anomaly.split(',').map(text => text.trim()))
    sources.push(Object.hasOwn(madeAnomalies, name) ? name : await openDataFor(manifest, name));
  const { rows, metrics, context } = await interruptible('stopping', signal =>
    evaluateAnomaly(folder, dataset, sources, { limit, variant, signal, onProgress: counter('rows') }),
  );
  if (flags.json) return printFigures({ metrics, context });
  const usingLabels = rows.filter(({ usesLabel }) => usesLabel);
  print(ranking(rows.filter(({ usesLabel }) => !usesLabel)));
  print(`\n${context.normal_rows} normal rows of ${context.normal}; anomalies are the positive class`);
  if (usingLabels.length === 0) return;
  print('\nScores that use labels: normal rows with their own label, and as anomalies the same rows with a wrong one');
  print(ranking(usingLabels));
}

function ranking(rows: readonly AnomalyRow[]): string {
  const cells = rows.map(({ source, score, recommended, inverted, auroc, aupr, auprFloor, fpr80, fpr95 }) => [
    source,
    `${score}${recommended ? ' (recommended)' : ''}`,
    ...[auroc, aupr, auprFloor, fpr80, fpr95].map(value => value.toFixed(4)),
    inverted ? 'inverted' : '',
  ]);
  return table(['anomalies', 'score', 'AUROC', 'AUPR', 'floor', 'FPR80', 'FPR95', ''], cells);
}
