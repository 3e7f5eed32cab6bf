// One executor process as the front sees it: every question ends, with an answer or with EXECUTOR_LOST.
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import {
  ExecutorClient,
  type ExecutorReply,
  type ExecutorRequest,
  encodeFrameParts,
  FrameReader,
  GenserveError,
  type Message,
  type Tensors,
} from '@genserve/runtime';
import type { Load } from './messages.js';
import { giveWay, riseAgain } from './rank.js';

export interface ExecutorSettings {
  readonly threads: number;
  /** A request without an answer for so long costs the executor its life. */
  readonly hangTimeoutMs: number;
  /** Of each session; onnxruntime's `session.` keys, e.g. disable_prepacking. */
  readonly sessionOptions?: Readonly<Record<string, string>> | undefined;
}

export interface RunAnswer {
  readonly outputs: Tensors;
  /** Of the run in the executor. */
  readonly milliseconds: number;
  /** Besides it, since the run was asked for or, where it waited for another, since that was answered. */
  readonly transportMs: number;
}

type Question = Parameters<ExecutorClient<Load>['request']>[0];

// By the package's own name, so that sources under test start the built program.
const program = createRequire(import.meta.url).resolve('@genserve/server/executor');
const startTimeoutMs = 60_000;

export class Executor {
  readonly #child: ChildProcess;
  readonly #client: ExecutorClient<Load>;
  readonly #sessions = new Map<string, { load: Load; loaded: Promise<void> }>();
  readonly #startedAt = performance.now();
  #watch: NodeJS.Timeout | undefined;
  #watchMs = 0;
  #answeredAt = 0;
  #alive = true;
  #whenLost: (() => void) | undefined;

  /** Settles when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Settles with its first answer; rejects where it never gave one. */
  readonly started: Promise<void>;

  constructor(private readonly settings: ExecutorSettings) {
    const { threads, sessionOptions = {} } = settings;
    this.#child = spawn(process.execPath, [program, String(threads), JSON.stringify(sessionOptions)], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    });
    // A 'pipe' beyond the first three is a duplex Unix socket pair.
    const socket = this.#child.stdio[3] as Socket;
    const frames = new FrameReader();
    this.#client = new ExecutorClient<Load>(request => {
      socket.cork();
      for (const part of encodeFrameParts(requestMessage(request))) socket.write(part);
      socket.uncork();
    });
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
    this.started = this.#ask({ kind: 'ping' }, startTimeoutMs).then(() => undefined);
    this.started.catch(() => undefined); // whoever asks next hears of it
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get ageMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** What it has loaded: another process needs the same to take its place. */
  get sessions(): ReadonlyMap<string, { readonly load: Load }> {
    return this.#sessions;
  }

  /** Called once, as soon as nothing more is to be had of it; its process may end later. */
  onLost(listener: () => void): void {
    this.#whenLost = listener;
  }

  async ping(): Promise<void> {
    await this.#ask({ kind: 'ping' });
  }

  /** Makes the session unless it is there, or on its way. */
  load(session: string, describe: () => Load): Promise<void> {
    const known = this.#sessions.get(session);
    if (known !== undefined) return known.loaded;
    const load = describe();
    const loaded = this.#ask({ kind: 'load', session, load }).then(() => undefined);
    this.#sessions.set(session, { load, loaded });
    loaded.catch(() => this.#sessions.delete(session));
    return loaded;
  }

  async unload(session: string): Promise<void> {
    if (!this.#sessions.delete(session)) return;
    await this.#ask({ kind: 'unload', session });
  }

  /**
   * In the order in which they are asked for; one that is sent while another runs begins as soon as that has ended.
   * @param wanted names of the outputs that come back; all when absent.
   */
  async run(session: string, feeds: Tensors, wanted?: readonly string[]): Promise<RunAnswer> {
    const askedAt = performance.now();
    const { outputs = {}, timings } = await this.#ask({
      kind: 'run',
      session,
      feeds,
      ...(wanted && { outputs: wanted }),
    });
    const startedAt = Math.max(askedAt, this.#answeredAt);
    this.#answeredAt = performance.now();
    const milliseconds = timings.tookMs;
    return { outputs, milliseconds, transportMs: Math.max(0, this.#answeredAt - startedAt - milliseconds) };
  }

  /** Lets all that serve go first, for as long as it only loads. */
  giveWay(): void {
    if (this.pid !== undefined) giveWay(this.pid);
  }

  riseAgain(): void {
    if (this.pid !== undefined) riseAgain(this.pid);
  }

  /** Ends the process at once; what it was doing is lost. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** The time limit is that of the oldest question: answers come in order, and each starts the clock anew. */
  async #ask(question: Question, timeoutMs = this.settings.hangTimeoutMs): Promise<ExecutorReply> {
    if (this.#client.inFlight === 0) this.#startWatch(timeoutMs);
    try {
      return await this.#client.request(question);
    } finally {
      if (this.#client.inFlight > 0) this.#startWatch(this.settings.hangTimeoutMs);
    }
  }

  /** One timer for all questions, since a new one for each would cost as much as the rest of a small one; idle, it finds nobody waiting. */
  #startWatch(timeoutMs: number): void {
    if (timeoutMs === this.#watchMs && this.#watch !== undefined) {
      this.#watch.refresh();
      return;
    }
    clearTimeout(this.#watch);
    this.#watchMs = timeoutMs;
    this.#watch = setTimeout(() => {
      if (this.#client.inFlight === 0) return;
      this.#lose(`it gave no answer in ${timeoutMs} ms`);
      this.#child.kill('SIGKILL');
    }, timeoutMs).unref();
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
