// An executor in a worker of this page, which can be ended at any time and made anew.
import { type ExecutorReply, GenserveError } from '@genserve/runtime';
import { unreachable } from '../asset.js';
import type { OpenExecutor } from './executor.js';

export const openExecutor: OpenExecutor = (script, listener) => {
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
};
