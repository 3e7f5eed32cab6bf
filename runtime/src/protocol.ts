// What is said between a front and whatever runs its sessions: the SDK's worker, the server's executor process
// (contract, section 10). Carriers differ (postMessage, frames over a socket); messages and both ends are the same.
import { type ErrorJson, GenserveError } from './errors.js';
import { serialQueue } from './queue.js';
import type { RunOptions, Session } from './session.js';
import type { Tensor, Tensors } from './tensor.js';

/** `load` is what the carrier needs to find a graph: bytes in a browser, a folder on a server. */
export type ExecutorRequest<Load> =
  | { readonly id: number; readonly kind: 'load'; readonly session: string; readonly load: Load }
  | {
      readonly id: number;
      readonly kind: 'run';
      readonly session: string;
      readonly feeds: Tensors;
      readonly outputs?: RunOptions['outputs'];
    }
  | { readonly id: number; readonly kind: 'unload'; readonly session: string }
  | { readonly id: number; readonly kind: 'ping' };

export interface ExecutorReply {
  readonly id: number;
  /** Of a run that worked. */
  readonly outputs?: Tensors;
  readonly error?: ErrorJson;
  readonly timings: {
    /** Milliseconds that the request took where it was carried out. */
    readonly tookMs: number;
  };
}

type WithoutId<Request> = Request extends unknown ? Omit<Request, 'id'> : never;

/** Buffers of tensors, for postMessage's transfer list. */
export function transferList(tensors: Tensors): ArrayBuffer[] {
  return [...new Set(Object.values(tensors).map((tensor: Tensor) => tensor.data.buffer))];
}

/**
 * The end that holds sessions: answers each request, and never throws. One request is carried out at a time, in the
 * order in which they came; `open` makes a session of what a `load` names.
 */
export function executorHost<Load>(
  open: (load: Load) => Promise<Session>,
): (request: ExecutorRequest<Load>) => Promise<ExecutorReply> {
  const sessions = new Map<string, Session>();
  const carryOut = async (request: ExecutorRequest<Load>): Promise<Tensors | undefined> => {
    if (request.kind === 'ping') return undefined;
    const session = sessions.get(request.session);
    if (request.kind === 'load') {
      if (!session) sessions.set(request.session, await open(request.load));
    } else if (request.kind === 'unload') {
      sessions.delete(request.session);
      await session?.close();
    } else {
      if (!session) throw new GenserveError('MODEL_UNAVAILABLE', `session ${request.session} is not loaded`);
      return await session.run(request.feeds, request);
    }
    return undefined;
  };
  const queue = serialQueue();
  const answer = async (request: ExecutorRequest<Load>): Promise<ExecutorReply> => {
    const start = performance.now();
    const timings = () => ({ tookMs: performance.now() - start });
    try {
      const outputs = await carryOut(request);
      return { id: request.id, ...(outputs && { outputs }), timings: timings() };
    } catch (error) {
      return { id: request.id, error: GenserveError.from(error).toJSON(), timings: timings() };
    }
  };
  return request => queue(() => answer(request));
}

/** The end that asks: numbers requests and settles each by its reply. */
export class ExecutorClient<Load> {
  readonly #waiting = new Map<number, { resolve(reply: ExecutorReply): void; reject(error: GenserveError): void }>();
  #next = 1;
  #lost: GenserveError | undefined;

  constructor(readonly send: (request: ExecutorRequest<Load>) => void) {}

  /** Requests that have no reply yet. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  /** Resolves with the reply; rejects with its error, or with the one given to `fail`. */
  request(request: WithoutId<ExecutorRequest<Load>>): Promise<ExecutorReply> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (this.#lost) {
        reject(this.#lost);
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      try {
        this.send({ ...request, id } as ExecutorRequest<Load>); // the same member of the union, with its id
      } catch (error) {
        this.#waiting.delete(id);
        reject(GenserveError.from(error));
      }
    });
  }

  /** To be called with what comes back. A reply that nobody waits for is dropped. */
  receive(reply: ExecutorReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.error) waiting?.reject(GenserveError.fromJSON(reply.error));
    else waiting?.resolve(reply);
  }

  /** The executor is gone: rejects what waits, and every later request. */
  fail(error: GenserveError): void {
    this.#lost = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
