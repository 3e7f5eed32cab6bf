// The genserve command as a process, as its user would run it.
import { spawn } from 'node:child_process';
import { root } from './paths.js';

export interface Figures {
  readonly metrics: Record<string, number>;
  readonly context: object;
}

/** Runs `genserve ...arguments_ --json` from `folder`; progress goes to this process's standard error. */
export function genserve(arguments_: readonly string[], folder = root): Promise<Figures> {
  const child = spawn(process.execPath, [`${root}cli/bin/genserve.mjs`, ...arguments_, '--json'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const parts: Buffer[] = [];
  child.stdout.on('data', part => parts.push(part));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => {
      if (code !== 0) reject(new Error(`genserve ${arguments_.join(' ')} ended with ${code}`));
      else resolve(JSON.parse(Buffer.concat(parts).toString('utf8')));
    });
  });
}
