// What a slow test leaves behind: docs/results/<name>.json (contract, section 12).
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { root } from './paths.js';

/** Writes the figures of `command`, which a reader can run again, for `npm run results` to tabulate. */
export function record(
  name: string,
  command: string,
  metrics: Readonly<Record<string, number>>,
  context: object,
): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const machine = {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
  };
  const result = { command, commit, date: new Date().toISOString(), machine, metrics, context };
  mkdirSync(`${root}docs/results`, { recursive: true });
  writeFileSync(`${root}docs/results/${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
}
