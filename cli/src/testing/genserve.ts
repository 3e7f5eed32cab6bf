// Runs the real command in tests, as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const binary = fileURLToPath(new URL('../../bin/genserve.mjs', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** Settles when standard error matches. */
  says(pattern: RegExp): Promise<void>;
}

export const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'genserve-cli-'));

const running = new Set<ChildProcess>();

/** Ends what a test that failed has left behind. */
export function stopAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts `genserve ...words` in a folder. */
export function start(folder: string, ...words: readonly string[]): Running {
  const child = spawn(process.execPath, [binary, ...words], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let stdout = '';
  let stderr = '';
  const watchers: { pattern: RegExp; found: () => void; lost: (why: Error) => void }[] = [];
  const look = () => {
    for (const { pattern, found } of watchers) if (pattern.test(stderr)) found();
  };
  child.stdout.on('data', chunk => {
    stdout += chunk;
  });
  child.stderr.on('data', chunk => {
    stderr += chunk;
    look();
  });
  const ended = new Promise<Outcome>(resolve => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stdout, stderr });
      for (const { pattern, lost } of watchers) lost(new Error(`ended without saying ${pattern}: ${stderr}`));
    });
  });
  const says = (pattern: RegExp) =>
    new Promise<void>((found, lost) => {
      watchers.push({ pattern, found, lost });
      look();
    });
  return { process: child, ended, says };
}

export const genserve = (folder: string, ...words: readonly string[]): Promise<Outcome> =>
  start(folder, ...words).ended;
