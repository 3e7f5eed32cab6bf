// One executor process as the front sees it: every question ends, with an answer or with EXECUTOR_LOST.
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import {
  ExecutorClient,
  type ExecutorReply,
  type ExecutorRequest,
  encodeFrame,
  FrameReader,
  GenserveError,
  type GraphFiles,
  type Message,
  serialQueue,
  type Tensors,
} from '@genserve/runtime';
import { type Load, toLoad } from './messages.js';

export interface ExecutorSettings {
  readonly threads: number;
  /** A request without an answer for so long costs the executor its life. */
  readonly hangTimeoutMs: number;
}

type Question = Parameters<ExecutorClient<Load>['request']>[0];

// By the package's own name, so that sources under test start the built program.
const program = createRequire(import.meta.url).resolve('@genserve/server/executor');

export class Executor {
  readonly #child: ChildProcess;
  readonly #client: ExecutorClient<Load>;
  readonly #inTurn = serialQueue();
  readonly #loaded = new Set<string>();
  #alive = true;
  #whenLost: (() => void) | undefined;

  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;

  constructor(private readonly settings: ExecutorSettings) {
    this.#child = spawn(process.execPath, [program, String(settings.threads)], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    // A 'pipe' beyond the first three is a duplex Unix socket pair.
    const socket = this.#child.stdio[3] as Socket;
    const frames = new FrameReader();
    this.#client = new ExecutorClient<Load>(request => void socket.write(encodeFrame(requestMessage(request))));
    socket.on('data', (chunk: Buffer) => {
      // The executor is the other half of this program: its frames have this type.
      for (const message of frames.push(chunk)) this.#client.receive(message as ExecutorReply);
    });
    socket.on('error', error => this.#lose(error.message));
    this.ended = new Promise(resolve => {
      this.#child.once('exit', (code, signal) => {
        this.#lose(`its process ended with ${signal ?? `code ${code}`}`);
        resolve();
      });
      this.#child.once('error', error => {
        this.#lose(`its process did not start: ${error.message}`);
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Called once, as soon as nothing more is to be had of it; its process may end later. */
  onLost(listener: () => void): void {
    this.#whenLost = listener;
  }

  /** The answer to the first ping takes as long as the process takes to start. */
  async ping(timeoutMs = this.settings.hangTimeoutMs): Promise<void> {
    await this.#ask({ kind: 'ping' }, timeoutMs);
  }

  /** Makes the session unless it is there. */
  async load(session: string, files: () => Promise<GraphFiles>): Promise<void> {
    if (this.#loaded.has(session)) return;
    await this.#ask({ kind: 'load', session, load: toLoad(await files()) });
    this.#loaded.add(session);
  }

  async run(session: string, feeds: Tensors): Promise<{ outputs: Tensors; milliseconds: number }> {
    const { outputs = {}, timings } = await this.#ask({ kind: 'run', session, feeds });
    return { outputs, milliseconds: timings.tookMs };
  }

  /** Ends the process at once; what it was doing is lost. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** One request in flight: what waits, waits here, and its time limit starts when it is sent. */
  #ask(question: Question, timeoutMs = this.settings.hangTimeoutMs): Promise<ExecutorReply> {
    return this.#inTurn(async () => {
      const timer = setTimeout(() => {
        this.#lose(`it gave no answer in ${timeoutMs} ms`);
        this.#child.kill('SIGKILL');
      }, timeoutMs);
      try {
        return await this.#client.request(question);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  #lose(why: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#whenLost?.();
    this.#client.fail(new GenserveError('EXECUTOR_LOST', `the process that ran the model was lost: ${why}`));
  }
}

/** The members of the union are JSON with tensors, but interfaces lack the index signature that `Message` asks for. */
function requestMessage(request: ExecutorRequest<Load>): Message {
  return { ...request } as unknown as Message;
}
