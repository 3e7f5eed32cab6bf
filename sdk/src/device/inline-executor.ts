// An executor in the caller's own thread, for Node: a step that runs cannot be ended, only waited for.
import { type Queue, serialQueue } from '@genserve/runtime';
import type { OpenExecutor } from './executor.js';
import { ortHost } from './host.js';

/** One per realm: two overlapping runs hang or corrupt onnxruntime-web on WebGPU. */
let realmQueue: Queue | undefined;

export const openExecutor: OpenExecutor = (_script, listener) => {
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
};

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
