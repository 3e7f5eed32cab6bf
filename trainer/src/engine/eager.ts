// Runs programs op by op on a TensorFlow.js backend: the oracle in tests ('cpu'), or what the user has installed.
import { GenserveError, type Tensors } from '@genserve/runtime';
import { onBackend, tf } from '../trace/tensorflow.js';
import { checkFeeds } from './bind.js';
import type { Engine, Executable } from './engine.js';
import type { Program, State } from './program.js';

/**
 * An engine on a TensorFlow.js backend by name ('cpu', or one that the caller has registered, e.g. 'tensorflow').
 * @throws BACKEND_UNAVAILABLE where TensorFlow.js does not know the backend.
 */
export function eagerEngine(backend = 'cpu'): Engine {
  return {
    description: `eager/${backend}`,
    async compile(program, batch) {
      onBackend(backend, () => undefined);
      return new EagerExecutable(program, batch, backend);
    },
  };
}

class EagerExecutable implements Executable {
  readonly #program: Program;
  readonly #batch: number;
  readonly #backend: string;

  constructor(program: Program, batch: number, backend: string) {
    this.#program = program;
    this.#batch = batch;
    this.#backend = backend;
  }

  async run(feeds: Tensors, state: State): Promise<Tensors> {
    const program = this.#program;
    checkFeeds(program, this.#batch, feeds);
    return onBackend(this.#backend, () => {
      const bound = program.state.map(variable => {
        const values = state.get(variable.name);
        if (!values) throw missing(program.name, variable.name);
        const tensor = tf.tensor(values, [...variable.shape], 'float32');
        variable.bind(tensor);
        return tensor;
      });
      try {
        const inputs = Object.fromEntries(
          program.inputs.map(({ name, dtype }) => {
            // checkFeeds has seen that every input is there
            const feed = feeds[name]!;
            return [name, tf.tensor(feed.data, [...feed.shape], dtype)];
          }),
        );
        const outputs = program.run(inputs);
        for (const [index, variable] of program.state.entries()) {
          if (variable.value !== bound[index]) state.set(variable.name, floats(variable.value));
        }
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, read(tensor)]));
      } finally {
        for (const variable of program.state) variable.bind(undefined);
      }
    });
  }

  async close(): Promise<void> {}
}

const missing = (program: string, variable: string) =>
  new GenserveError('INTERNAL', `program '${program}' needs variable '${variable}', which its state does not hold`);

/** A copy: the backend may hand out its own memory. */
function floats(tensor: tf.Tensor): Float32Array<ArrayBuffer> {
  return Float32Array.from(tensor.dataSync());
}

function read(tensor: tf.Tensor): Tensors[string] {
  return tensor.dtype === 'float32'
    ? { dtype: 'float32', shape: tensor.shape, data: floats(tensor) }
    : { dtype: 'int32', shape: tensor.shape, data: Int32Array.from(tensor.dataSync()) };
}
