// Processes on a core of their own, where the machine has the cores and the tool.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Command } from '../contestant.js';

/** Front and load generator on one core, whatever computes on the other; undefined where that cannot be. */
export function chooseCores(): { readonly front: string; readonly compute: string } | undefined {
  const pins = spawnSync('taskset', ['-c', '0', 'true']).status === 0;
  return pins && availableParallelism() > 1 ? { front: '0', compute: '1' } : undefined;
}

/** This Node with these arguments, on that core. */
export function pinned(core: string | undefined, nodeArguments: readonly string[]): Command {
  const command = [process.execPath, ...nodeArguments];
  return core === undefined
    ? { file: process.execPath, arguments: nodeArguments }
    : { file: 'taskset', arguments: ['-c', core, ...command] };
}
