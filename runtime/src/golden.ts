// Golden values: what an operation must give for inputs that anyone can make again. Export records them, `verify`
// and a client's self-test recompute them.
import type { Golden, Manifest, Operation, Port } from '@genserve/proto/manifest';
import { classCount, findOperation } from './manifest.js';
import { fillNoise } from './noise.js';
import { buildFeeds } from './ports.js';
import type { Runner } from './session.js';
import { float32, int32, sizeOf, type Tensor, type Tensors } from './tensor.js';

export interface GoldenResult {
  readonly golden: Golden;
  /** Largest absolute difference from the recorded values. */
  readonly difference: number;
  readonly passed: boolean;
}

/**
 * Feeds of `batch` rows: inputs that have a default take it, noise is that of samples 0, 1, ... (0 in every row of a
 * scoring operation), and any other input is the uniform noise "golden/<port>" of the same seed: rounded for a mask,
 * scaled to whole numbers below the number of classes, codes or words for int32 ports.
 */
export function goldenFeeds(manifest: Manifest, operation: Operation, seed: number, batch: number): Tensors {
  const given = operation.inputs
    .filter(({ role, default: value }) => value === undefined && role !== 'noise' && role !== 'state')
    .map(port => [port.name, goldenInput(manifest, port, seed, batch)] as const);
  return buildFeeds(manifest, operation, batch, Object.fromEntries(given), { seed });
}

function goldenInput(manifest: Manifest, port: Port, seed: number, count: number): Tensor {
  const shape = port.shape.slice(1);
  const values = fillNoise({ seed, name: `golden/${port.name}`, distribution: 'uniform', shape, count });
  if (port.role === 'mask') return float32([count, ...shape], values.map(Math.round));
  if (port.dtype === 'float32') return float32([count, ...shape], values);
  const words = manifest.domain?.text?.vocabulary.length ?? 1;
  const limit = port.role === 'label' ? classCount(manifest) : (port.limit ?? words);
  return int32(
    [count, ...shape],
    values.map(value => Math.floor(value * limit)),
  );
}

/** Numbers of one output, and the distance from each to the next in it. */
export interface Recorded {
  readonly values: number[];
  readonly stride: number;
}

/** Up to `length` numbers of each output of one operation, from all over it: the corner of a picture tells little. */
export async function goldenValues(
  runner: Runner,
  manifest: Manifest,
  name: string,
  { seed, batch, length }: { readonly seed: number; readonly batch: number; readonly length: number },
): Promise<Record<string, Recorded>> {
  const operation = findOperation(manifest, name);
  const outputs = await runner.run(name, goldenFeeds(manifest, operation, seed, batch));
  return Object.fromEntries(
    operation.outputs.map(port => {
      const output = outputs[port.name]!;
      const stride = strideFor(sizeOf(output.shape), length);
      return [port.name, { values: elements(output, stride, length), stride }];
    }),
  );
}

/** The greatest stride that finds `length` elements and keeps to no column: it shares no factor with the size. */
function strideFor(size: number, length: number): number {
  let stride = Math.max(1, Math.floor(size / length));
  while (greatestCommonDivisor(stride, size) > 1) stride -= 1;
  return stride;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function elements({ data }: Tensor, stride: number, length: number): number[] {
  return Array.from(data.filter((_, index) => index % stride === 0).subarray(0, length));
}

/** Recomputes every golden value of the manifest. */
export async function checkGolden(runner: Runner, manifest: Manifest): Promise<GoldenResult[]> {
  const results: GoldenResult[] = [];
  for (const golden of manifest.golden) {
    const { operation, seed, batch, output, values, tolerance, stride } = golden;
    const feeds = goldenFeeds(manifest, findOperation(manifest, operation), seed, batch);
    const found = (await runner.run(operation, feeds))[output];
    const actual = found ? elements(found, Math.max(1, stride), values.length) : [];
    const difference = values.reduce((most, value, i) => {
      const apart = Math.abs(value - (actual[i] ?? Number.NaN));
      return Number.isNaN(apart) ? Infinity : Math.max(most, apart);
    }, 0);
    results.push({ golden, difference, passed: difference <= tolerance });
  }
  return results;
}
