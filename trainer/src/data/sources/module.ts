// A data set of the user's own: a module that exports `open(options)` and returns a Dataset.
import { invalid } from '@genserve/runtime';
import { z } from 'zod';
import { importModule } from '../../import-module.js';
import type { Dataset, Split } from '../dataset.js';
import { look } from '../files.js';
import type { FormatSource } from '../source.js';
import { concatenate } from '../store.js';

const split = z.custom<Split>(
  // Looked at member by member right here.
  value => Number.isInteger((value as Split | undefined)?.count) && typeof (value as Split).read === 'function',
  'must be {count, read(indices)}',
);

const shape = z.object({
  name: z.string(),
  domain: z.record(z.string(), z.unknown()),
  train: split,
  calibration: split,
  test: split,
  all: split.optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
  licence: z.string(),
  attribution: z.string(),
  frequencies: z.array(z.number()),
  summary: z.string(),
  split: z.string(),
});

export const userModule: FormatSource = {
  name: 'module',
  description: 'JavaScript or TypeScript module that exports open(options) and returns a Dataset',
  accepts: async path => look(path)?.isFile() === true && /\.m?[jt]s$/.test(path),
  async open(path, options) {
    const loaded = await importModule(path, 'data');
    if (typeof loaded.open !== 'function') {
      throw invalid('data', `${path} must export a function open(options) that returns a Dataset`);
    }
    const dataset: unknown = await loaded.open(options);
    const checked = shape.safeParse(dataset);
    if (!checked.success) {
      const issue = checked.error.issues[0]!;
      throw invalid(
        'data',
        `${path}: open() returned a Dataset whose ${issue.path.join('.') || 'value'} is wrong: ${issue.message}`,
      );
    }
    // Checked above, except for the domain's members, which the family reads.
    const made = dataset as Dataset;
    return { ...made, all: checked.data.all ?? concatenate([made.train, made.calibration, made.test]) };
  },
};
