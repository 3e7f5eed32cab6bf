// The one import of TensorFlow.js: in Node its core alone registers no gradients (contract, section 5).

import { GenserveError } from '@genserve/runtime';
import * as tf from '@tensorflow/tfjs';

// Without this the 'cpu' backend prints a banner that advertises another package.
tf.enableProdMode();

export { tf };

/**
 * Runs `body` with `backend` as TensorFlow.js's current backend, frees its temporaries, and puts the former backend
 * back. `body` must be synchronous: the backend is global to the process.
 */
export function onBackend<Result>(backend: string, body: () => Result): Result {
  if (tf.findBackend(backend) === null) {
    throw new GenserveError('BACKEND_UNAVAILABLE', `TensorFlow.js has no backend named '${backend}' here`, {
      field: 'backend',
    });
  }
  // Before the first operation of a process there is no current backend: this starts the default one.
  tf.backend();
  const former = tf.getBackend();
  select(backend);
  const engine = tf.engine();
  engine.startScope('genserve');
  try {
    return body();
  } finally {
    engine.endScope();
    select(former);
  }
}

/** `setBackend` does its work before it returns; its promise only reports backends that start asynchronously. */
function select(backend: string): void {
  void tf.setBackend(backend);
}
