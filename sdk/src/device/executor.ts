// Where sessions run: a worker of this page, or the caller's own thread. Both speak runtime's executor protocol.
import {
  type ExecutorReply,
  type ExecutorRequest,
  executorHost,
  GenserveError,
  type GraphFiles,
  type Queue,
  serialQueue,
  transferList,
} from '@genserve/runtime';
import { unreachable } from '../asset.js';
import { type DeviceBackend, type OrtAssets, type OrtHost, openOrt } from './onnxruntime.js';

/** What a `load` message carries: the graph, and what the first one starts onnxruntime with. */
export interface Load {
  readonly backend: DeviceBackend;
  readonly assets: OrtAssets;
  readonly graph: GraphFiles;
}

export interface Executor {
  send(request: ExecutorRequest<Load>): void;
  /** Whether `terminate` ends a step that is running. */
  readonly killable: boolean;
  terminate(): void;
}

export interface Listener {
  onReply(reply: ExecutorReply): void;
  /** The executor is gone and will not answer. */
  onLost(error: GenserveError): void;
}

/** Answers requests with onnxruntime-web, loaded at the first `load`. */
export function ortHost(): (request: ExecutorRequest<Load>) => Promise<ExecutorReply> {
  let ort: Promise<OrtHost> | undefined;
  return executorHost<Load>(async ({ backend, assets, graph }) => {
    ort ??= openOrt(backend, assets);
    return (await ort).create(graph);
  });
}

/** The worker's side, called by the worker script alone. */
export function serveWorker(scope: Pick<Window, 'addEventListener' | 'postMessage'>): void {
  const host = ortHost();
  scope.addEventListener('message', async (event: MessageEvent<ExecutorRequest<Load>>) => {
    const reply = await host(event.data);
    scope.postMessage(reply, { transfer: reply.outputs ? transferList(reply.outputs) : [] });
  });
}

export function workerExecutor(script: string | undefined, listener: Listener): Executor {
  // The literal form is what bundlers look for: they put the script and onnxruntime-web beside the page's own.
  const worker = script
    ? new Worker(script, { type: 'module' })
    : new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  let answered = false;
  worker.onmessage = (event: MessageEvent<ExecutorReply>) => {
    answered = true;
    listener.onReply(event.data);
  };
  worker.onerror = event => {
    event.preventDefault();
    const why = event.message ? `: ${event.message}` : '';
    listener.onLost(
      answered
        ? new GenserveError('EXECUTOR_LOST', `the worker stopped${why}`)
        : unreachable(script ?? "the SDK's worker script", `could not be started${why}`),
    );
  };
  return { send: request => worker.postMessage(request), killable: true, terminate: () => worker.terminate() };
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
