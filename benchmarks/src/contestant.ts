// A process that is measured: one request a line on its standard input, one line of JSON in answer. Each contestant has a
// process of its own, so that its peak memory is its own and none warms another's caches.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { GenserveError } from '@genserve/runtime';
import type { z } from 'zod';

export interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export class Contestant {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  #errors = '';

  constructor(
    readonly name: string,
    command: Command,
  ) {
    this.#process = spawn(command.file, command.arguments, { env: { ...process.env, ...command.environment } });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    // A process that has died shows when its answer is waited for.
    this.#process.on('error', error => {
      this.#errors += error.message;
    });
    this.#process.stdin.on('error', () => {});
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Throws INTERNAL with the end of its standard error where the process is gone. */
  async ask<Answer>(request: string, answer: z.ZodType<Answer>): Promise<Answer> {
    this.#process.stdin.write(`${request}\n`);
    const line = await this.#answers.next();
    if (line.done) throw new GenserveError('INTERNAL', `${this.name} ended at "${request}":\n${this.#errors}`);
    return answer.parse(JSON.parse(line.value));
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.stdin.end();
    await exited;
  }
}

/** The other end: answers each line of standard input with a line of JSON until it ends. */
export async function answerRequests(
  answer: (request: string, argument: number) => Promise<Readonly<Record<string, unknown>>>,
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const [request = '', argument] = line.split(' ');
    process.stdout.write(`${JSON.stringify(await answer(request, Number(argument)))}\n`);
  }
}
