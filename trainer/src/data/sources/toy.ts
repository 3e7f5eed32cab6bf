// Densities in the plane whose shape is known: what a generative model gets wrong can be seen at a glance.
import { NoiseStream } from '@genserve/runtime';
import { assemble, count } from '../assemble.js';
import { sha256 } from '../hash.js';
import type { NamedSource } from '../source.js';
import { floatStore } from '../store.js';
import { vectorDomain } from '../vector-domain.js';

/** A point from three normals and two uniforms, and the class that it belongs to. */
type Draw = (normal: Float32Array, uniform: Float32Array) => { x: number; y: number; label: number };

const pick = (uniform: number, choices: number) => Math.floor(uniform * choices);

/** Eight Gaussians of deviation 0.2 on a circle of radius 2. */
const eightGaussians: Draw = (normal, uniform) => {
  const label = pick(uniform[0]!, 8);
  const angle = (2 * Math.PI * label) / 8;
  return { x: 2 * Math.cos(angle) + 0.2 * normal[0]!, y: 2 * Math.sin(angle) + 0.2 * normal[1]!, label };
};

/** A 5 x 5 grid of Gaussians of deviation 0.05, two apart (Dumoulin et al. 2016). */
const twentyFiveGaussians: Draw = (normal, uniform) => {
  const label = pick(uniform[0]!, 25);
  const place = (index: number) => 2 * (index - 2);
  return {
    x: place(label % 5) + 0.05 * normal[0]!,
    y: place(Math.floor(label / 5)) + 0.05 * normal[1]!,
    label,
  };
};

/** A spiral of one and a half turns, seen from above (Marsland 2009), with radii up to 1.5. */
const swissRoll: Draw = (normal, uniform) => {
  const angle = 1.5 * Math.PI * (1 + 2 * uniform[0]!);
  const radius = angle / (3 * Math.PI);
  return { x: radius * Math.cos(angle) + 0.03 * normal[0]!, y: radius * Math.sin(angle) + 0.03 * normal[1]!, label: 0 };
};

/** Two half circles that interlock, deviation 0.1. */
const twoMoons: Draw = (normal, uniform) => {
  const label = pick(uniform[0]!, 2);
  const angle = Math.PI * uniform[1]!;
  const [x, y] = label === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
  return { x: x + 0.1 * normal[0]!, y: y + 0.1 * normal[1]!, label };
};

function toy(name: string, description: string, classes: number, draw: Draw): NamedSource {
  return {
    name,
    description: `${description}; points of the plane, drawn by seed`,
    licence: 'CC0-1.0',
    available: async () => true,
    async open(options) {
      const rows = options.rows ?? 50_000;
      const values = new Float32Array(rows * 2);
      const labels = new Int32Array(rows);
      const normal = new Float32Array(2);
      const uniform = new Float32Array(2);
      const normals = new NoiseStream(options.seed, `${name}/normal`, 'normal');
      const uniforms = new NoiseStream(options.seed, `${name}/uniform`, 'uniform');
      for (let row = 0; row < rows; row++) {
        normals.fill(normal, row);
        uniforms.fill(uniform, row);
        const { x, y, label } = draw(normal, uniform);
        values[2 * row] = x;
        values[2 * row + 1] = y;
        labels[row] = label;
      }
      const names = classes > 1 ? Array.from({ length: classes }, (_, label) => String(label)) : [];
      return assemble(
        {
          name,
          domain: vectorDomain(values, ['x', 'y'], names),
          train: floatStore(values, 2, classes > 1 ? labels : undefined),
          sha256: sha256(new Uint8Array(values.buffer)),
          licence: this.licence,
          attribution: '',
          summary: `${count(rows)} points of ${description}`,
        },
        options,
      );
    },
  };
}

export const toys: readonly NamedSource[] = [
  toy('8-gaussians', 'eight Gaussians on a circle', 8, eightGaussians),
  toy('25-gaussians', 'twenty-five Gaussians on a grid', 25, twentyFiveGaussians),
  toy('swiss-roll', 'a spiral', 1, swissRoll),
  toy('two-moons', 'two interlocking half circles', 2, twoMoons),
];
