// What a kernel mapping is: tfjs attributes and graph values in, graph values out.
import { GenserveError } from '@genserve/runtime';
import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/types.js';

/** One call of a tfjs kernel while recording. */
export class KernelCall {
  constructor(
    readonly builder: GraphBuilder,
    readonly kernel: string,
    readonly inputs: Readonly<Record<string, Value | undefined>>,
    readonly attributes: Readonly<Record<string, unknown>>,
  ) {}

  /** A named input, e.g. 'x'. */
  input(name: string): Value {
    const value = this.inputs[name];
    if (!value) throw this.wrong(`has no input '${name}'`);
    return value;
  }

  /** Inputs of kernels that take a list. */
  list(): Value[] {
    return Object.values(this.inputs).filter(value => value !== undefined);
  }

  number(name: string): number {
    const value = this.attributes[name];
    if (typeof value !== 'number') throw this.wrong(`attribute '${name}' should be a number, not ${String(value)}`);
    return value;
  }

  flag(name: string): boolean {
    return this.attributes[name] === true;
  }

  text(name: string): string {
    const value = this.attributes[name];
    if (typeof value !== 'string') throw this.wrong(`attribute '${name}' should be a string, not ${String(value)}`);
    return value;
  }

  /** A list of numbers; a single number is a list of one. */
  numbers(name: string): number[] {
    const value = this.attributes[name];
    if (typeof value === 'number') return [value];
    if (isNumbers(value)) return Array.from(value);
    throw this.wrong(`attribute '${name}' should be a list of numbers, not ${String(value)}`);
  }

  /** A list of [before, after] pairs, one for each axis. */
  pairs(name: string): [number, number][] {
    const value = this.attributes[name];
    if (!Array.isArray(value)) throw this.wrong(`attribute '${name}' should be a list of pairs`);
    return value.map((pair: unknown) => {
      if (!isNumbers(pair) || pair.length !== 2) throw this.wrong(`attribute '${name}' should be a list of pairs`);
      return [pair[0]!, pair[1]!];
    });
  }

  wrong(problem: string): GenserveError {
    return new GenserveError('INTERNAL', `tfjs kernel ${this.kernel} ${problem}`);
  }

  unsupported(what: string): GenserveError {
    return new GenserveError(
      'CONFIGURATION_INVALID',
      `the recorder does not support ${what} in tfjs kernel ${this.kernel}`,
    );
  }
}

function isNumbers(value: unknown): value is ArrayLike<number> {
  return (
    (Array.isArray(value) || ArrayBuffer.isView(value)) &&
    Array.from(value as ArrayLike<unknown>).every(each => typeof each === 'number')
  );
}

/** Emits the ONNX nodes of one kernel call. */
export type KernelMapping = (call: KernelCall) => Value | readonly Value[];
/** One file per group of kernels exports one of these, keyed by tfjs kernel name. */
export type KernelGroup = Readonly<Record<string, KernelMapping>>;
