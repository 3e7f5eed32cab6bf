// Planes through a model's latent space: a code for each point of the unit square.
import { fillNoise, float32, type Manifest, type Tensor, type Tensors } from '@genserve/sdk';

type Port = Manifest['operations'][number]['inputs'][number];

/** Codes at points (x, y) of [0, 1] x [0, 1], as one batch. */
export type Plane = (points: readonly (readonly [number, number])[]) => Tensors;

/** The latent inputs of `decode`. */
export function latentPorts(manifest: Manifest): readonly Port[] {
  const decode = manifest.operations.find(({ name }) => name === 'decode');
  return decode?.inputs.filter(({ role }) => role === 'latent') ?? [];
}

/** Levels of a hierarchy of latents, lowest first; one where there is no hierarchy. */
export function levelsOf(manifest: Manifest): readonly number[] {
  return [...new Set(latentPorts(manifest).map(({ level }) => level ?? 1))].sort((a, b) => a - b);
}

/** The codes of the samples of a seed: the noise from which `sample` draws them (contract, section 3). */
export function codesOf(manifest: Manifest, seed: number, count: number): Tensors {
  return Object.fromEntries(
    latentPorts(manifest).map(port => {
      const shape = port.shape.slice(1);
      const name = noiseNameOf(manifest, port);
      return [port.name, float32([count, ...shape], fillNoise({ seed, name, distribution: 'normal', shape, count }))];
    }),
  );
}

function noiseNameOf(manifest: Manifest, port: Port): string {
  const sample = manifest.operations.find(({ name }) => name === 'sample');
  const noise = sample?.inputs.find(
    ({ role, shape, level }) => role === 'noise' && level === port.level && shape.join() === port.shape.join(),
  );
  return noise?.name ?? port.name;
}

/** The square whose corners are the first four rows of `codes`. Levels other than `level` are held at the first. */
export function cornersPlane(codes: Tensors, ports: readonly Port[], level: number | undefined): Plane {
  return points =>
    codesAt(codes, ports, points.length, ({ data }, size, port, row) => {
      const corner = (i: number) => data.subarray(i * size, (i + 1) * size);
      if (level !== undefined && (port.level ?? 1) !== level) return corner(0);
      const [x, y] = points[row] ?? [0, 0];
      return slerp(slerp(corner(0), corner(1), x), slerp(corner(2), corner(3), x), y);
    });
}

/** How far the axes reach to either side, in standard deviations of the prior. */
const REACH = 3;

/** The first row of `codes` with two of the numbers of its first port of `level` moved from -3 to 3. */
export function axesPlane(
  codes: Tensors,
  ports: readonly Port[],
  level: number | undefined,
  axes: readonly [number, number],
): Plane {
  const moved = ports.find(port => level === undefined || (port.level ?? 1) === level);
  return points =>
    codesAt(codes, ports, points.length, ({ data }, size, port, row) => {
      const code = Float32Array.from(data.subarray(0, size));
      if (port !== moved) return code;
      axes.forEach((axis, i) => {
        code[Math.min(axis, size - 1)] = ((points[row]?.[i] ?? 0) * 2 - 1) * REACH;
      });
      return code;
    });
}

function codesAt(
  codes: Tensors,
  ports: readonly Port[],
  count: number,
  codeAt: (tensor: Tensor, size: number, port: Port, row: number) => ArrayLike<number>,
): Tensors {
  return Object.fromEntries(
    ports.map(port => {
      const shape = port.shape.slice(1);
      const size = shape.reduce((product, length) => product * length, 1);
      const tensor = codes[port.name];
      if (!tensor) throw new Error(`no code for ${port.name}`);
      const data = new Float32Array(count * size);
      for (let row = 0; row < count; row++) data.set(codeAt(tensor, size, port, row), row * size);
      return [port.name, float32([count, ...shape], data)];
    }),
  );
}

/** On the sphere between two codes (White 2016, "Sampling generative networks"); straight where they span no circle. */
export function slerp(a: ArrayLike<number>, b: ArrayLike<number>, t: number): Float32Array {
  const dot = (u: ArrayLike<number>, v: ArrayLike<number>) =>
    Array.from(u).reduce((sum, value, i) => sum + value * (v[i] ?? 0), 0);
  const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(angle);
  const [from, to] = sine > 1e-6 ? [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine] : [1 - t, t];
  return Float32Array.from(a, (value, i) => from * value + to * (b[i] ?? 0));
}
