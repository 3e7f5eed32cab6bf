import { float32 } from '@genserve/sdk';
import { expect, it } from 'vitest';
import { histogramOf } from './distribution.js';
import { axesPlane, cornersPlane, slerp } from './latent-plane.js';

const port = (name: string, level: number) => ({
  name,
  dtype: 'float32',
  shape: [0, 2],
  role: 'latent',
  level,
  default: undefined,
});
const ports = [port('z1', 1), port('z2', 2)];
const codes = {
  z1: float32([4, 2], [1, 0, 0, 1, -1, 0, 0, -1]),
  z2: float32([4, 2], [2, 0, 0, 2, -2, 0, 0, -2]),
};

it('has the four codes at its corners, and keeps their length in between', () => {
  const { z1 } = cornersPlane(
    codes,
    ports,
    undefined,
  )([
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
    [0.5, 0],
  ]);
  const [, , , , , , , , x = 0, y = 0] = z1!.data;
  expect(Array.from(z1!.data.slice(0, 8))).toEqual([1, 0, 0, 1, -1, 0, 0, -1]);
  expect(Math.hypot(x, y)).toBeCloseTo(1, 6);
  expect(Array.from(slerp([0, 0], [2, 4], 0.5))).toEqual([1, 2]);
});

it('holds every level but the one that varies', () => {
  const { z1, z2 } = cornersPlane(codes, ports, 2)([[1, 1]]);
  expect(Array.from(z1!.data)).toEqual([1, 0]);
  expect(Array.from(z2!.data)).toEqual([0, -2]);
});

it('moves two numbers of one code from -3 to 3', () => {
  const { z1, z2 } = axesPlane(
    codes,
    ports,
    undefined,
    [0, 1],
  )([
    [0, 0],
    [1, 0.5],
  ]);
  expect(Array.from(z1!.data)).toEqual([-3, -3, 3, 0]);
  expect(Array.from(z2!.data)).toEqual([2, 0, 2, 0]);
});

it('counts normal scores in bins that reach to the one in question', () => {
  const { counts, least, greatest } = histogramOf([1, 2, 2, 3], 9, 4);
  expect([least < 1, greatest > 9]).toEqual([true, true]);
  expect(counts.reduce((sum, count) => sum + count)).toBe(4);
  expect(counts[3]).toBe(0);
});
