// The end that runs graphs: onnxruntime-web behind runtime's executor protocol.
import {
  type ExecutorReply,
  type ExecutorRequest,
  executorHost,
  GenserveError,
  type Session,
  transferList,
} from '@genserve/runtime';
import type { Load } from './executor.js';
import { type OrtHost, openOrt } from './onnxruntime.js';

/** Answers requests with onnxruntime-web, which the first `load` starts. */
export function ortHost(): (request: ExecutorRequest<Load>) => Promise<ExecutorReply> {
  let ort: OrtHost | undefined;
  return executorHost<Load>(async load => {
    if ('graph' in load) {
      if (!ort) throw new GenserveError('INTERNAL', 'not started');
      return ort.create(load.graph);
    }
    ort = await openOrt(load.start);
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
