// Ways between two latent codes.
import type { Manifest, Operation, Port } from '@genserve/proto/manifest';
import { invalid } from './errors.js';
import { inputsOf } from './manifest.js';
import { sizeOf, type Tensors } from './tensor.js';

/**
 * `steps` points from one set of codes to another, both ends included: latents by port name, [1, ...] -> [steps, ...].
 * Spherical (White 2016, "Sampling generative networks") for Gaussian latents, linear for others.
 */
export function interpolate(
  manifest: Manifest,
  decode: Operation,
  from: Tensors,
  to: Tensors,
  steps: number,
): Record<string, { dtype: 'float32'; shape: number[]; data: Float32Array<ArrayBuffer> }> {
  const ports = inputsOf(decode, 'latent');
  if (ports.length === 0)
    throw invalid('from', `the codes of ${manifest.name} are whole numbers: nothing lies between`);
  return Object.fromEntries(
    ports.map(port => {
      const shape = port.shape.slice(1);
      const size = sizeOf(shape);
      const [a, b] = [endOf(from, port, 'from'), endOf(to, port, 'to')];
      const weights = isGaussian(manifest, port) ? spherical(a, b) : linear;
      const data = new Float32Array(steps * size);
      for (let step = 0; step < steps; step++) {
        const [weightA, weightB] = weights(step / (steps - 1));
        for (let i = 0; i < size; i++) data[step * size + i] = weightA * a[i]! + weightB * b[i]!;
      }
      return [port.name, { dtype: 'float32', shape: [steps, ...shape], data }];
    }),
  );
}

type Weights = (t: number) => readonly [number, number];

const linear: Weights = t => [1 - t, t];

function spherical(a: ArrayLike<number>, b: ArrayLike<number>): Weights {
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  // Parallel, opposite or zero codes span no circle.
  if (!(sine > 1e-6)) return linear;
  return t => [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** A latent is Gaussian where `sample` draws one of its shape and level from normal noise. */
function isGaussian(manifest: Manifest, latent: Port): boolean {
  const sample = manifest.operations.find(({ name }) => name === 'sample');
  return !!sample?.inputs.some(
    ({ role, name, shape, level }) =>
      role === 'noise' &&
      level === latent.level &&
      shape.join() === latent.shape.join() &&
      manifest.noises.some(noise => noise.name === name && noise.distribution === 'normal'),
  );
}

function endOf(codes: Tensors, port: Port, field: string): ArrayLike<number> {
  const tensor = codes[port.name];
  const expected = [1, ...port.shape.slice(1)];
  if (tensor?.shape.join() === expected.join() && tensor.data.length === sizeOf(expected)) return tensor.data;
  const was = tensor ? `was [${tensor.shape}]` : 'was not given';
  throw invalid(`${field}.${port.name}`, `must be the codes of one row, [${expected}]; ${was}`);
}
