// Writes runs/<id>/report.html from what the run has left in its folder so far.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Callbacks } from '../train/callbacks.js';
import { writeAtomically } from '../train/checkpoint.js';
import { readRunRecord } from '../train/run-folder.js';
import { readHistory } from './history.js';
import { reportPage, type Sheet } from './page.js';

/** Sheets of samples in a report: the newest, and others spread over the run. */
const sheetCount = 10;

/** Returns the path. Safe at any time while a run goes on. */
export async function writeReport(folder: string): Promise<string> {
  const [record, history] = await Promise.all([readRunRecord(folder), readHistory(folder)]);
  const sheets: Sheet[] = [];
  for (const { step, path } of spread(history.samples, sheetCount)) {
    const png = await readFile(path).catch(() => undefined);
    if (png) sheets.push({ step, png });
  }
  const path = join(folder, 'report.html');
  await writeAtomically(path, reportPage(record, history, sheets));
  return path;
}

/** At most `count` of a list, ends included, evenly spread. */
function spread<Item>(list: readonly Item[], count: number): Item[] {
  if (list.length <= count) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / (count - 1))]!);
}

/** Keeps the report of a run up to date: after each checkpoint and at the end. */
export function reporter(folder: string): Callbacks {
  return {
    async onSave() {
      await writeReport(folder);
    },
    async onTrainEnd() {
      await writeReport(folder);
    },
  };
}
