import { expect, it } from 'vitest';
import { fixtureFiles } from '../fixtures/session.mjs';
import { interpolate } from './interpolate.js';
import { findOperation, type Manifest } from './manifest.js';
import { parseManifest } from './parse-manifest.js';
import { float32 } from './tensor.js';
import { fromUtf8 } from './text.js';

/** The fixture with latents of two numbers, drawn by `distribution` noise. */
function model(distribution: string, role = 'latent', level = 1): Manifest {
  const manifest = parseManifest(JSON.parse(fromUtf8(fixtureFiles('tiny')['manifest.json']!)));
  const port = { name: 'z', dtype: 'float32', shape: [0, 2], default: undefined };
  const operations = manifest.operations.map(operation => ({
    ...operation,
    inputs: [{ ...port, ...(operation.name === 'sample' ? { role: 'noise', level: 1 } : { role, level }) }],
  }));
  return { ...manifest, operations, noises: [{ name: 'z', distribution, shape: [2] }] };
}

const codes = (...values: number[]) => ({ z: float32([1, 2], values) });
const between = (manifest: Manifest, from: number[], to: number[], steps = 3) =>
  Array.from(interpolate(manifest, findOperation(manifest, 'decode'), codes(...from), codes(...to), steps).z!.data);
const half = Math.fround(Math.SQRT1_2);

it('goes along the great circle between Gaussian codes', () => {
  const path = between(model('normal'), [1, 0], [0, 1]);
  expect(path).toEqual([1, 0, half, half, 0, 1].map(value => expect.closeTo(value, 6)));
});

it('goes straight where latents are not Gaussian, and between codes that span no circle', () => {
  expect(between(model('uniform'), [1, 0], [0, 1])).toEqual([1, 0, 0.5, 0.5, 0, 1]);
  expect(between(model('normal', 'latent', 2), [1, 0], [0, 1])).toEqual([1, 0, 0.5, 0.5, 0, 1]);
  expect(between(model('normal'), [1, 0], [3, 0])).toEqual([1, 0, 2, 0, 3, 0]);
  expect(between(model('normal'), [1, 0], [-1, 0])).toEqual([1, 0, 0, 0, -1, 0]);
  expect(between(model('normal'), [0, 0], [2, 2], 2)).toEqual([0, 0, 2, 2]);
});

it('refuses codes that are whole numbers, and ends of more than one row', () => {
  const decode = findOperation(model('normal', 'codes'), 'decode');
  expect(() => interpolate(model('normal', 'codes'), decode, codes(0, 0), codes(1, 1), 2)).toThrow(/whole numbers/);
  const two = { z: float32([2, 2], [0, 0, 1, 1]) };
  expect(() => interpolate(model('normal'), findOperation(model('normal'), 'decode'), codes(0, 0), two, 2)).toThrow(
    /^to.z: must be the codes of one row, \[1,2\]; was \[2,2\]/,
  );
});
