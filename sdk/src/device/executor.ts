// Where sessions run, as the runner sees it: both ends speak runtime's executor protocol. package.json's `imports`
// picks what "#executor" is: a worker of the page in browsers, the caller's own thread in Node.
import type { ExecutorReply, ExecutorRequest, GenserveError, GraphFiles } from '@genserve/runtime';
import type { OrtStart } from './onnxruntime.js';

/** What a `load` message carries: at first what onnxruntime starts with, then graphs. */
export type Load = { readonly start: OrtStart } | { readonly graph: GraphFiles };

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

/** `script` is the address of the worker's script, where no bundler has found it. */
export type OpenExecutor = (script: string | undefined, listener: Listener) => Executor;
