// Where sessions run: a worker of this page, or the caller's own thread (`host.ts`). Both speak runtime's protocol.
import { type ExecutorReply, type ExecutorRequest, GenserveError, type GraphFiles } from '@genserve/runtime';
import { unreachable } from '../asset.js';
import type { DeviceBackend, OrtAssets } from './onnxruntime.js';

/** What a `load` message carries: at first what onnxruntime starts with, then graphs. */
export type Load =
  | { readonly start: { readonly backend: DeviceBackend; readonly assets: OrtAssets } }
  | { readonly graph: GraphFiles };

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
