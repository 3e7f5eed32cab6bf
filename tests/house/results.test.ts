// docs/results/README.md says what the result files beside it say: no figure is typed by hand.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;

it('holds the table that the result files give', () => {
  const table = execFileSync(process.execPath, [`${root}scripts/results.mjs`], { encoding: 'utf8' });
  expect(readFileSync(`${root}docs/results/README.md`, 'utf8')).toBe(table);
});
