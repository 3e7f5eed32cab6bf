// A TensorFlow.js backend that computes nothing: each kernel becomes ONNX nodes.
import { GenserveError } from '@genserve/runtime';
import { elements, type GraphBuilder } from '../graph/builder.js';
import { type ElementType, sameShape, type Value } from '../graph/types.js';
import { convolution } from './convolution.js';
import { elementwise } from './elementwise.js';
import { gathering } from './gather.js';
import { KernelCall, type KernelGroup } from './kernel.js';
import { matrix } from './matrix.js';
import { pooling } from './pooling.js';
import { reduction } from './reduction.js';
import { resize } from './resize.js';
import { shape } from './shape.js';
import { tf } from './tensorflow.js';

export const RECORDER = 'genserve-recorder';

/** tfjs functions that draw numbers: their results would be frozen into the graph. */
const RANDOM =
  /\b(randomNormal|randomStandardNormal|randomUniform|randomUniformInt|randomGamma|truncatedNormal|rand|dropout|multinomial)_?\b/;

class RecordingBackend extends tf.KernelBackend {
  builder: GraphBuilder | undefined;
  readonly #values = new WeakMap<object, Value>();

  /** The builder of the recording that runs now. */
  get recording(): GraphBuilder {
    if (!this.builder) throw new GenserveError('INTERNAL', 'the recording backend is used outside a recording');
    return this.builder;
  }

  /** The value behind a tensor, in the tensor's own shape: tfjs may share one data id between shapes. */
  valueBehind({ dataId, shape, dtype }: tf.TensorInfo): Value {
    const known = this.#values.get(dataId);
    const value = known ?? this.#adopt(dataId, shape, dtype);
    return sameShape(value.shape, shape) ? value : this.recording.reshape(value, shape);
  }

  /** Makes a tensor that stands for `value`. */
  tensorOf(value: Value): tf.TensorInfo {
    const dataId = {};
    this.#values.set(dataId, value);
    if (value.type === 'int64') throw new GenserveError('INTERNAL', 'int64 values never become tensors');
    return { dataId, shape: [...value.shape], dtype: value.type };
  }

  /** A tensor made before the recording began is a constant of it. */
  #adopt(dataId: object, shape: number[], dtype: tf.DataType): Value {
    const value = this.#constant(tf.engine().readSync(dataId), shape, dtype);
    this.#values.set(dataId, value);
    return value;
  }

  #constant(values: tf.BackendValues | null, shape: readonly number[], dtype: tf.DataType): Value {
    if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
      throw new GenserveError('CONFIGURATION_INVALID', `tensors of dtype ${dtype} cannot be recorded`);
    }
    const type: ElementType = dtype;
    // the three types above are held as numbers
    const numbers = (values ?? []) as ArrayLike<number>;
    const first = numbers[0] ?? 0;
    if (shape.length > 0 && numbers.length > 1 && isUniform(numbers)) return this.recording.filled(first, type, shape);
    // a copy: the program may fill the same array anew
    const own = numbers instanceof Float32Array || numbers instanceof Int32Array ? numbers.slice() : numbers;
    return this.recording.constant(elements(type, own), type, shape);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const random = drawnBy();
    if (random) {
      throw new GenserveError(
        'CONFIGURATION_INVALID',
        `tf.${random} was called while recording: a random number would be frozen into the graph; declare a noise input instead`,
      );
    }
    const dataId = {};
    this.#values.set(dataId, this.#constant(values, shape, dtype));
    return dataId;
  }

  override move(dataId: object, values: tf.BackendValues, shape: number[], dtype: tf.DataType): void {
    this.#values.set(dataId, this.#constant(values, shape, dtype));
  }

  override readSync(): tf.BackendValues {
    throw new GenserveError(
      'CONFIGURATION_INVALID',
      'a tensor is read back (dataSync, arraySync, print, ...) while recording: nothing is computed yet, so a program ' +
        'cannot depend on its own numbers',
    );
  }
  override read(): Promise<tf.BackendValues> {
    return Promise.resolve(this.readSync());
  }

  override disposeData(): boolean {
    return true;
  }
  override incRef(): void {}
  override refCount(): number {
    return 1;
  }
  override numDataIds(): number {
    return 0;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
  override floatPrecision(): 16 | 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override timerAvailable(): boolean {
    return false;
  }
  override dispose(): void {}
}

export const recorder = new RecordingBackend();

const GROUPS: readonly KernelGroup[] = [elementwise, shape, reduction, matrix, convolution, pooling, resize, gathering];

tf.registerBackend(RECORDER, () => recorder);
for (const [kernelName, mapping] of GROUPS.flatMap(group => Object.entries(group))) {
  tf.registerKernel({
    kernelName,
    backendName: RECORDER,
    kernelFunc: ({ inputs, attrs }) => {
      const values = Object.fromEntries(
        Object.entries(inputs).map(([name, tensor]) => [name, tensor ? recorder.valueBehind(tensor) : undefined]),
      );
      const outputs = mapping(new KernelCall(recorder.recording, kernelName, values, { ...attrs }));
      return 'id' in outputs ? recorder.tensorOf(outputs) : outputs.map(value => recorder.tensorOf(value));
    },
  });
}

/** tfjs kernels that have a mapping. */
export const recordedKernels: readonly string[] = GROUPS.flatMap(group => Object.keys(group));

function isUniform(numbers: ArrayLike<number>): boolean {
  for (let i = 1; i < numbers.length; i++) if (!Object.is(numbers[i], numbers[0])) return false;
  return true;
}

/** The name of the random tfjs function that is on the call stack, if any. */
function drawnBy(): string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const frames = new Error().stack ?? '';
  Error.stackTraceLimit = limit;
  const calls = frames.split('\n').filter(frame => frame.includes('@tensorflow'));
  return calls.map(frame => RANDOM.exec(frame.trim().split(' ')[1] ?? '')?.[1]).find(name => name !== undefined);
}
