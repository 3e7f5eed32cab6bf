// Scores are offered for what a model makes of a datum.
import type { Manifest } from '@genserve/runtime';
import { expect, it } from 'vitest';
import { offeredScores } from './offered.js';

const image = { height: 8, width: 8, channels: 1, levels: 256, binarisation: 'none', polarity: 'light-on-dark' };
const x = { name: 'x', dtype: 'float32', shape: [0, 8, 8, 1], role: 'data' };

/** A bundle with one operation, from a picture to `outputs`. */
function bundleOf(name: string, outputs: object[]): Manifest {
  const operation = { name, file: `${name}.onnx`, inputs: [x], outputs, members: [] };
  return { domain: { image }, operations: [operation], likelihood: { kind: 'none' } } as unknown as Manifest; // what is looked at
}
const namesOf = (manifest: Manifest) => offeredScores(manifest).map(({ name }) => name);

it("offers a picture's own complexity beside what a critic says of it", () => {
  const score = { name: 'score', dtype: 'float32', shape: [0], role: 'score' };
  expect(namesOf(bundleOf('critic', [score]))).toEqual(['complexity', 'discriminator', 'fusion']);
});

it('offers nothing for a translator, which says nothing of what it is given', () => {
  expect(namesOf(bundleOf('translate', [{ ...x, name: 'y' }]))).toEqual([]);
});
