// A Runner over plain sessions, one per operation in use, each made on first use. The trainer and tests use it as it
// is, the SDK inside its worker; the server's scheduler is another Runner.
import type { Bundle, GraphFiles, GraphOptions } from './bundle.js';
import { throwIfAborted } from './cancel.js';
import { GenserveError } from './errors.js';
import { findOperation } from './manifest.js';
import { type Queue, serialQueue } from './queue.js';
import type { Runner, RunOptions, Session } from './session.js';
import type { Tensors } from './tensor.js';

export interface SessionsOptions {
  readonly bundle: Bundle;
  /** Makes a session of one graph. `name` is for messages: the operation's. */
  readonly openSession: (graph: GraphFiles, name: string) => Promise<Session>;
  readonly variant?: string | undefined;
  /** Where creates and runs wait; pass one queue to all models of a realm. A queue of its own when absent. */
  readonly queue?: Queue | undefined;
  /** Most rows of one run, however little they cost; 64 when absent. */
  readonly mostRows?: number | undefined;
  /** Rows of one run; from the operation's cost when absent. */
  readonly rowsPerStep?: ((operation: string) => number) | undefined;
}

/** Multiply-accumulates of one step: about 250 ms on one core of WASM. */
const MACS_PER_STEP = 1e9;
/** Time after which a runner lets timers and messages through: `session.run` on WASM never yields by itself. */
const YIELD_MS = 20;

export function sessionsRunner(options: SessionsOptions): Runner {
  const { bundle, openSession, variant, mostRows = 64, queue = serialQueue() } = options;
  const sessions = new Map<string, Promise<Session>>();
  const graphOptions: GraphOptions = variant === undefined ? {} : { variant };
  let closed = false;
  let yieldedAt = performance.now();

  const open = (name: string): Promise<Session> => {
    const kept = sessions.get(name);
    if (kept) return kept;
    const opening = bundle.graph(name, graphOptions).then(graph => queue(() => openSession(graph, name)));
    sessions.set(name, opening);
    // A session that could not be made is not kept: the next call tries again.
    opening.catch(() => sessions.delete(name));
    return opening;
  };

  const stepRows = (name: string): number => {
    const macs = findOperation(bundle.manifest, name).cost?.macs ?? 0;
    return Math.max(1, Math.min(mostRows, Math.floor(MACS_PER_STEP / Math.max(1, macs))));
  };

  return {
    async run(operation: string, feeds: Tensors, { signal }: RunOptions = {}) {
      if (closed) throw new GenserveError('MODEL_UNAVAILABLE', `${bundle.manifest.name} was closed`);
      throwIfAborted(signal);
      const session = await open(operation);
      const outputs = await queue(() => {
        throwIfAborted(signal);
        return session.run(feeds, { signal });
      });
      if (performance.now() - yieldedAt > YIELD_MS) {
        await new Promise<void>(resolve => setTimeout(resolve, 0));
        yieldedAt = performance.now();
      }
      return outputs;
    },
    rowsPerStep: options.rowsPerStep ?? stepRows,
    async close() {
      closed = true;
      const opened = await Promise.allSettled(sessions.values());
      sessions.clear();
      for (const session of opened) if (session.status === 'fulfilled') await queue(() => session.value.close());
    },
  };
}
