// `genserve evaluate --protocol held-out-class`: every class in turn as the anomaly that a model has not seen.
import { join } from 'node:path';
import { invalid } from '@genserve/runtime';
import { type EngineFlags, engineOf } from './engine.js';
import { interruptible } from './interrupt.js';
import { print, printFigures, say, table } from './output.js';
import { progress } from './progress.js';

export interface HeldOutFlags extends EngineFlags {
  readonly data: string;
  readonly families?: string;
  readonly classes?: string;
  readonly minutes?: number;
  readonly steps?: number;
  readonly runs?: string;
  readonly limit?: number;
  readonly seed: number;
  readonly json?: boolean;
}

const list = (text: string) => text.split(',').map(part => part.trim());

export async function evaluateHeldOut(flags: HeldOutFlags): Promise<void> {
  const { data, minutes, steps, runs = 'runs', limit, seed } = flags;
  if (minutes !== undefined && steps !== undefined) throw invalid('steps', 'give either steps or minutes, not both');
  const { auprCells, heldOutClasses, heldOutPage, openDataset, writeAtomically } = await import('@genserve/trainer');
  const engine = await engineOf(flags);
  const result = await interruptible('stopping after this step and saving a checkpoint', signal =>
    heldOutClasses({
      ...{ data, minutes, steps, runs, limit, seed, engine, signal },
      families: list(flags.families ?? 'vae'),
      classes: flags.classes === undefined ? undefined : list(flags.classes).map(Number),
      callbacks: [progress()],
      onModel: (name, what) => say(`${name}: ${what}`),
    }),
  );
  const { rows, summaries, chosen, classes } = result;
  const file = join(runs, `held-out-${result.data}`);
  await writeAtomically(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  await writeAtomically(`${file}.html`, await heldOutPage(result, await openDataset(data), limit));
  const best = Object.entries(chosen).map(([family, score]) => [family, summaries[`${family}.${score}`]!] as const);
  const metrics = {
    'anomaly.held_out.mean_aupr': Math.max(...best.map(([, { mean }]) => mean)),
    ...Object.fromEntries(best.map(([family, { mean }]) => [`anomaly.held_out.${family}.mean_aupr`, mean])),
    ...Object.fromEntries(
      rows.flatMap(({ family, score, label, aupr, auroc, fpr95 }) =>
        Object.entries({ aupr, auroc, fpr95 }).map(([name, value]) => [
          `held_out.${family}.${score}.${label}.${name}`,
          value,
        ]),
      ),
    ),
  };
  if (flags.json)
    return printFigures({ metrics, context: { ...flags, classes, chosen, summaries, page: `${file}.html` } });
  const { head, body } = auprCells(result);
  print(table(head, body));
  print(
    `\nAUPR x 100, the held-out class positive; * chosen for all classes on synthetic anomalies. Pictures: ${file}.html`,
  );
}
