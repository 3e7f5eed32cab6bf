// Every score of every shipped bundle calls as many normal test rows anomalous as alpha says.
// FALSE_ALARM_ROWS looks at fewer test rows.
import { readdirSync, readFileSync } from 'node:fs';
import type { Manifest } from '@genserve/runtime';
import { describe, expect, it } from 'vitest';
import { genserve } from '../support/command.js';
import { models } from '../support/paths.js';
import { record } from '../support/results.js';

const FEWEST_CALIBRATION_ROWS = 5000;
const limit = process.env.FALSE_ALARM_ROWS;

const bundles = readdirSync(models)
  .map(name => JSON.parse(readFileSync(`${models}/${name}/1/manifest.json`, 'utf8')) as Manifest)
  .filter(({ scores }) => scores?.length > 0);

describe.each(bundles)('$name', ({ name, scores, provenance }) => {
  it('calls normal test data anomalous at alpha .01, .05 and .10 as often as that', async () => {
    const command = ['evaluate', `models/${name}`, '--data', provenance!.dataset, '--anomaly', 'constant'];
    if (limit !== undefined) command.push('--limit', limit);
    const { metrics, context } = await genserve(command);
    const testRows = (context as { normal_rows: number }).normal_rows;
    const counts = new Map(scores.map(score => [score.name, score.calibration!.count]));
    const deviations = Object.entries(metrics).flatMap(([key, rate]): [string, number][] => {
      const [, score, text] = /^false_positives\.(.+?)\.(0\.\d+)$/.exec(key) ?? [];
      if (score === undefined) return [];
      const alpha = Number(text);
      const deviation = Math.sqrt(alpha * (1 - alpha) * (1 / counts.get(score)! + 1 / testRows));
      return [[`${key}.deviations`, Math.abs(rate - alpha) / deviation]];
    });
    const greatest_deviations = Math.max(...deviations.map(([, value]) => value));
    const rates = Object.entries(metrics).filter(([key]) => key.startsWith('false_positives.'));
    const figures = { greatest_deviations, ...Object.fromEntries([...rates, ...deviations]) };
    record(`false-alarms-${name}`, `genserve ${command.join(' ')}`, figures, context);
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(FEWEST_CALIBRATION_ROWS);
    expect(deviations).toHaveLength(3 * scores.length);
    expect(greatest_deviations).toBeLessThanOrEqual(3);
  });
});
