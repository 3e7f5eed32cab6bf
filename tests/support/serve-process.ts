// `genserve serve` as a process of its own, as its operator would run it: it can be signalled, and its memory is its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { models, root } from './paths.js';

export class ServeProcess implements AsyncDisposable {
  private constructor(
    private readonly child: ChildProcess,
    readonly folder: string,
    readonly url: string,
    readonly grpcAddress: string,
    /** Settles with the exit code. */
    readonly ended: Promise<number | null>,
  ) {}

  /** Serves mnist-vae and two small models whose answers are quick; flags are those of the command. */
  static async start(...flags: readonly string[]): Promise<ServeProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'genserve-load-'));
    for (const fixture of ['tiny', 'tiny-rows'])
      cpSync(`${root}runtime/fixtures/${fixture}`, join(folder, fixture), { recursive: true });
    cpSync(`${models}/mnist-vae`, join(folder, 'mnist-vae'), { recursive: true });
    const command = [
      `${root}cli/bin/genserve.mjs`,
      'serve',
      '--models',
      folder,
      '--http',
      '0',
      '--grpc',
      '0',
      ...flags,
    ];
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'exit').then(([code]) => code as number | null);
    const said = await sayings(child, ended);
    const [, url = '', grpcAddress = ''] = /genserve at (http:\S+), gRPC at (\S+)/.exec(said) ?? [];
    return new ServeProcess(child, folder, url, grpcAddress, ended);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Processes that run models, those that start included. */
  get executors(): number[] {
    const text = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    return text.trim().split(' ').filter(Boolean).map(Number);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  post(path: string, body: object, init: RequestInit = {}): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body), ...init });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal('SIGTERM');
    await this.ended;
    rmSync(this.folder, { recursive: true });
  }
}

/** Resident bytes of these processes that nobody else has: anonymous memory, not files. */
export function privateBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return sum + 1024 * Number(kilobytes);
  }, 0);
}

/** What it says until its models are ready. */
async function sayings(child: ChildProcess, ended: Promise<unknown>): Promise<string> {
  let said = '';
  const ready = new Promise<void>(resolve => {
    child.stderr?.on('data', chunk => {
      said += chunk;
      if (said.includes('genserve is running')) resolve();
    });
  });
  await Promise.race([ready, ended]);
  if (!said.includes('genserve is running')) throw new Error(`genserve serve did not start:\n${said}`);
  return said;
}
