// A loop that stays a loop in the graph: a JavaScript loop when eager, one ONNX `Loop` with a traced body when recorded.
// Autoregressive sampling, inverses of autoregressive flows and recurrent decoders use it. It is not differentiable.
import { GenserveError } from '@genserve/runtime';
import type { Tensor } from '@tensorflow/tfjs';
import { GraphBuilder } from '../graph/builder.js';
import { TYPE_CODES } from '../graph/infer.js';
import { sameShape, type Value } from '../graph/types.js';
import { RECORDER, recorder } from './backend.js';
import { tf } from './tensorflow.js';

type Named<Key extends string> = Readonly<Record<Key, Tensor>>;

export interface ScanStep<Carry extends string, Slices extends string> {
  /** int32 scalar, from 0. */
  readonly index: Tensor;
  readonly carry: Named<Carry>;
  /** `slices[name]` at this index, without its leading axis. */
  readonly slices: Named<Slices>;
}

export interface ScanOptions<Carry extends string, Slices extends string, Stacked extends string> {
  /** How often the body runs; `count` is an int32 scalar that is only known when the graph runs, at most `most`. */
  readonly trips: number | { readonly count: Tensor; readonly most: number };
  /** What the first iteration is given. Shapes and types never change. */
  readonly carry: Named<Carry>;
  /** Tensors [trips, ...] that the iterations read one row each. */
  readonly slices?: Named<Slices>;
  /** May use any tensor around it. What does not depend on the iteration is best computed outside. */
  body(step: ScanStep<Carry, Slices>): { readonly carry: Named<Carry>; readonly stacked?: Named<Stacked> };
}

export interface ScanResult<Carry extends string, Stacked extends string> {
  /** What the last iteration handed on. */
  readonly carry: Named<Carry>;
  /** [trips, ...] of what the iterations gave; none where the number of trips is a tensor. */
  readonly stacked: Named<Stacked>;
}

export function scan<Carry extends string, Slices extends string = never, Stacked extends string = never>(
  options: ScanOptions<Carry, Slices, Stacked>,
): ScanResult<Carry, Stacked> {
  return tf.getBackend() === RECORDER ? recordLoop(options) : runLoop(options);
}

function runLoop<Carry extends string, Slices extends string, Stacked extends string>(
  options: ScanOptions<Carry, Slices, Stacked>,
): ScanResult<Carry, Stacked> {
  const { trips } = options;
  const count = typeof trips === 'number' ? trips : (trips.count.dataSync()[0] ?? 0);
  const given: Partial<Named<Slices>> = options.slices ?? {};
  let carry: Named<Carry> = options.carry;
  const parts: Named<Stacked>[] = [];
  for (let i = 0; i < count; i++) {
    const step = tf.tidy(() =>
      options.body({
        index: tf.scalar(i, 'int32'),
        carry,
        slices: mapValues(given as Named<Slices>, x => tf.squeeze(tf.slice(x, i, 1), [0])), // {} has all of no keys
      }),
    );
    carry = step.carry;
    checkStacked(step.stacked, typeof trips === 'number');
    if (step.stacked) parts.push(step.stacked);
  }
  // With no iteration there is nothing to stack, nor a name to give it.
  const stacked = mapValues(parts[0] ?? ({} as Named<Stacked>), (_, name) => tf.stack(parts.map(part => part[name])));
  return { carry, stacked };
}

function recordLoop<Carry extends string, Slices extends string, Stacked extends string>(
  options: ScanOptions<Carry, Slices, Stacked>,
): ScanResult<Carry, Stacked> {
  const outer = recorder.recording;
  const { trips } = options;
  const most = typeof trips === 'number' ? trips : trips.most;
  const count =
    typeof trips === 'number'
      ? outer.constant(BigInt64Array.of(BigInt(trips)), 'int64', [])
      : outer.emit('Cast', [recorder.valueBehind(trips.count)], { to: TYPE_CODES.int64 });
  const names = Object.keys(options.carry) as Carry[]; // the keys of a Named<Carry>
  const initial = names.map(name => recorder.valueBehind(options.carry[name]));
  const slices = mapValues(options.slices ?? ({} as Named<Slices>), x => recorder.valueBehind(x)); // {} has all of no keys
  const prefix = loopName(outer);

  const inner = new GraphBuilder(outer);
  inner.path = outer.path;
  loopNames.set(inner, { prefix, loops: 0 });
  recorder.builder = inner;
  try {
    const iteration = inner.input(`${prefix}/iteration`, 'int64', []);
    inner.input(`${prefix}/condition`, 'bool', []);
    const carried = names.map((name, i) => inner.input(`${prefix}/${name}`, initial[i]!.type, initial[i]!.shape));
    const step = options.body({
      index: tensorOf(inner.emit('Cast', [iteration], { to: TYPE_CODES.int32 })),
      carry: fromEntries(names.map((name, i) => [name, tensorOf(carried[i]!)])),
      slices: mapValues(slices, x => tensorOf(inner.emit('Gather', [x, iteration], { axis: 0 }))),
    });
    checkStacked(step.stacked, typeof trips === 'number');
    const next = names.map((name, i) => {
      const value = recorder.valueBehind(step.carry[name]);
      const { shape, type } = initial[i]!;
      if (sameShape(value.shape, shape) && value.type === type) return value;
      throw misuse(`'${name}' is carried as ${type} [${shape}], but the body gives ${value.type} [${value.shape}]`);
    });
    const stackedNames = Object.keys(step.stacked ?? {}) as Stacked[]; // the keys of a Named<Stacked>
    const rows = stackedNames.map(name => recorder.valueBehind(step.stacked![name])); // named only where present
    const outputs = [
      { name: `${prefix}/continue`, value: inner.constant(Uint8Array.of(1), 'bool', []) },
      ...names.map((name, i) => ({ name: `${prefix}/next/${name}`, value: next[i]! })),
      ...stackedNames.map((name, i) => ({ name: `${prefix}/row/${name}`, value: rows[i]! })),
    ];
    const body = inner.graph(prefix, outputs);
    recorder.builder = outer;
    const results = outer.emitMany('Loop', [count, undefined, ...initial], { body, trips: most }).map(tensorOf);
    return {
      carry: fromEntries(names.map((name, i) => [name, results[i]!])),
      stacked: fromEntries(stackedNames.map((name, i) => [name, results[names.length + i]!])),
    };
  } finally {
    recorder.builder = outer;
  }
}

/** Names inside and outside a loop must differ (onnxruntime refuses others), and be the same in every recording. */
const loopNames = new WeakMap<GraphBuilder, { readonly prefix: string; loops: number }>();

function loopName(builder: GraphBuilder): string {
  const known = loopNames.get(builder) ?? { prefix: '', loops: 0 };
  known.loops++;
  loopNames.set(builder, known);
  return `${known.prefix === '' ? '' : `${known.prefix}/`}loop${known.loops}`;
}

function tensorOf(value: Value): Tensor {
  const { dataId, shape, dtype } = recorder.tensorOf(value);
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype }, recorder);
}

function checkStacked(stacked: object | undefined, fixed: boolean): void {
  if (!fixed && Object.keys(stacked ?? {}).length > 0)
    throw misuse('rows are stacked over a number of trips that is not known');
}

const misuse = (problem: string) => new GenserveError('INTERNAL', `scan: ${problem}`);

function mapValues<Key extends string, From, To>(
  record: Readonly<Record<Key, From>>,
  map: (value: From, key: Key) => To,
): Record<Key, To> {
  // Object.entries of a record with these keys
  return fromEntries((Object.entries(record) as [Key, From][]).map(([key, value]) => [key, map(value, key)]));
}

function fromEntries<Key extends string, Item>(entries: readonly (readonly [Key, Item])[]): Record<Key, Item> {
  return Object.fromEntries(entries) as Record<Key, Item>; // every key of the entries and no other
}
