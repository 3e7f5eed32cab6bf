// parameters.json: how the values of a model's variables are read back from its bundle, to train on from them. Graphs hold
// weights as they use them: most as they are or with their axes in another order, which is all that is written of those.
// Values that went into products or inverses are written themselves.
import { onnx } from '@genserve/proto/wire';
import { type Bundle, type Bytes, GenserveError } from '@genserve/runtime';
import type { Program, State } from '../engine/program.js';
import { optimise } from '../graph/optimise.js';
import { countUses } from '../graph/rewrite.js';
import { size } from '../graph/types.js';
import { WEIGHTS_FILE } from '../graph/write.js';
import type { Variable } from '../nn/variable.js';
import type { OperationGraphs } from '../trace/operations.js';
import { trace } from '../trace/trace.js';

export const PARAMETERS_FILE = 'parameters.json';

interface Stored {
  readonly shape: readonly number[];
  /** In weights.bin, float32: the variable with its axes in the order `axes`. */
  readonly offset?: number;
  readonly axes?: readonly number[];
  /** The values themselves, little-endian float32. */
  readonly values?: string;
}

type Index = Record<string, Stored>;

export interface BundleParameter {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The file for the variables that some operation reads. `state` holds the values that the graphs were made of. */
export function indexParameters(
  programs: readonly Program[],
  variables: readonly Variable[],
  state: State,
  graphs: OperationGraphs,
): Bytes {
  const used = new Set(programs.flatMap(readBy));
  const offsets = weightOffsets(graphs);
  const index: Index = {};
  for (const { name, shape } of variables) {
    if (!used.has(name)) continue;
    const values = state.get(name)!; // a state holds every variable
    const place = (offsets.get(name) ?? [])
      .flatMap(offset => permutations(shape.length).map(axes => ({ offset, axes })))
      .find(({ offset, axes }) => agree(permute(values, shape, axes), floatsAt(graphs.weights, offset, values.length)));
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    index[name] = { shape, ...(place ?? { values: bytes.toString('base64') }) };
  }
  return new TextEncoder().encode(`${JSON.stringify({ format: 1, parameters: index })}\n`);
}

/** Values of the variables of a bundle, by name. @throws INVALID_ARGUMENT where it was exported without them. */
export async function readParameters(bundle: Bundle): Promise<Map<string, BundleParameter>> {
  const { files, name, version } = bundle.manifest;
  if (!files.some(({ path }) => path === PARAMETERS_FILE))
    throw new GenserveError(
      'INVALID_ARGUMENT',
      `initFrom: ${name}/${version} was exported before bundles said how to train on from them; export its run again`,
      { field: 'initFrom' },
    );
  // Checked against its SHA-256, so these are the bytes that indexParameters wrote.
  const { parameters } = JSON.parse(new TextDecoder().decode(await bundle.file(PARAMETERS_FILE))) as {
    parameters: Index;
  };
  const weights = files.some(({ path }) => path === WEIGHTS_FILE) ? await bundle.file(WEIGHTS_FILE) : new Uint8Array();
  return new Map(
    Object.entries(parameters).map(([variable, { shape, offset, axes, values }]) => {
      if (values !== undefined)
        return [variable, { shape, values: floatsAt(Buffer.from(values, 'base64'), 0, size(shape)) }];
      // One of the two is there.
      const stored = floatsAt(weights, offset!, size(shape));
      return [
        variable,
        {
          shape,
          values: permute(
            stored,
            axes!.map(axis => shape[axis]!),
            inverse(axes!),
          ),
        },
      ];
    }),
  );
}

/** Names of the variables that a program reads. */
function readBy(program: Program): string[] {
  const graph = optimise(trace(program, 2));
  const uses = countUses(graph);
  return graph.inputs.flatMap(input => (input.variable !== undefined && uses.has(input) ? [input.variable] : []));
}

/** Offsets in the weights file by the name of the variable. A second form of one variable is called "name.2". */
function weightOffsets({ operations }: OperationGraphs): Map<string, number[]> {
  const offsets = new Map<string, number[]>();
  for (const { model } of operations)
    for (const { name, externalData } of onnx.ModelProto.decode(model).graph?.initializer ?? []) {
      const offset = externalData.find(({ key }) => key === 'offset')?.value;
      const variable = name?.replace(/\.\d+$/, '');
      if (variable !== undefined && offset !== undefined)
        offsets.set(variable, [...(offsets.get(variable) ?? []), Number(offset)]);
    }
  return offsets;
}

function floatsAt(bytes: Uint8Array, offset: number, length: number): Float32Array {
  return new Float32Array(Uint8Array.from(bytes.subarray(offset, offset + 4 * length)).buffer);
}

/** What a mask has set to 0 never matters. */
function agree(values: Float32Array, stored: Float32Array): boolean {
  return values.length === stored.length && stored.every((number, i) => number === values[i] || number === 0);
}

/** A tensor of `shape` with its axes in the order `axes`. */
function permute(values: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  const strides = shape.map((_, axis) => size(shape.slice(axis + 1)));
  const result = new Float32Array(values.length);
  const extents = axes.map(axis => shape[axis]!);
  const steps = axes.map(axis => strides[axis]!);
  for (let place = 0; place < result.length; place++) {
    let [rest, from] = [place, 0];
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      from += (rest % extents[axis]!) * steps[axis]!;
      rest = Math.floor(rest / extents[axis]!);
    }
    result[place] = values[from]!;
  }
  return result;
}

const inverse = (axes: readonly number[]): number[] => axes.map((_, axis) => axes.indexOf(axis));

/** Every order of `rank` axes, theirs first. */
function permutations(rank: number): number[][] {
  if (rank === 0) return [[]];
  return permutations(rank - 1)
    .flatMap(shorter => Array.from({ length: rank }, (_, at) => shorter.toSpliced(rank - 1 - at, 0, rank - 1)))
    .sort((a, b) => (String(a) < String(b) ? -1 : 1));
}
