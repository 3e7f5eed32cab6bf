// The end that runs graphs: onnxruntime-web behind runtime's executor protocol, in the worker's script or inline.
import {
  type ExecutorReply,
  type ExecutorRequest,
  executorHost,
  GenserveError,
  type Queue,
  type Session,
  serialQueue,
  transferList,
} from '@genserve/runtime';
import type { Executor, Listener, Load } from './executor.js';
import { type OrtHost, openOrt } from './onnxruntime.js';

/** Answers requests with onnxruntime-web, which the first `load` starts. */
export function ortHost(): (request: ExecutorRequest<Load>) => Promise<ExecutorReply> {
  let ort: OrtHost | undefined;
  return executorHost<Load>(async load => {
    if ('graph' in load) {
      if (!ort) throw new GenserveError('INTERNAL', 'a graph came before the start');
      return ort.create(load.graph);
    }
    ort = await openOrt(load.start.backend, load.start.assets);
    return NOTHING;
  });
}

/** What the session of a start is: nothing can be run with it. */
const NOTHING: Session = { run: async () => ({}), close: async () => undefined };

/** The worker's side, called by the worker script alone. */
export function serveWorker(scope: Pick<Window, 'addEventListener' | 'postMessage'>): void {
  const host = ortHost();
  scope.addEventListener('message', async (event: MessageEvent<ExecutorRequest<Load>>) => {
    const reply = await host(event.data);
    scope.postMessage(reply, { transfer: reply.outputs ? transferList(reply.outputs) : [] });
  });
}

/** One per realm: two overlapping runs hang or corrupt onnxruntime-web on WebGPU. */
let realmQueue: Queue | undefined;

export function inlineExecutor(listener: Listener): Executor {
  realmQueue ??= serialQueue();
  const queue = realmQueue;
  const host = ortHost();
  let ended = false;
  return {
    async send(request) {
      const reply = await queue(async () => {
        await macrotask();
        return host(request);
      });
      if (!ended) listener.onReply(reply);
    },
    killable: false,
    terminate() {
      ended = true;
    },
  };
}

/** `session.run` settles in microtasks: without this, timers and aborts wait for the last step of a long call. */
function macrotask(): Promise<void> {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
