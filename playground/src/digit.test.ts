import { describe, expect, it } from 'vitest';
import { centreDigit, type Grey } from './digit.js';

/** A picture with one rectangle of full strokes. */
function rectangle(size: number, left: number, top: number, width: number, height: number): Grey {
  const data = new Float32Array(size * size);
  for (let y = top; y < top + height; y++) data.fill(1, y * size + left, y * size + left + width);
  return { width: size, height: size, data };
}

function massAndCentre({ width, data }: Grey): { mass: number; x: number; y: number } {
  const mass = data.reduce((sum, value) => sum + value, 0);
  const moment = (of: (i: number) => number) => data.reduce((sum, value, i) => sum + value * (of(i) + 0.5), 0) / mass;
  return { mass, x: moment(i => i % width), y: moment(i => Math.floor(i / width)) };
}

describe('a drawing in the form of MNIST', () => {
  it.each([
    ['small and in a corner', rectangle(280, 3, 5, 20, 40)],
    ['large and in the middle', rectangle(280, 90, 20, 120, 240)],
    ['smaller than the target', rectangle(14, 1, 1, 5, 10)],
  ])('fills 20 of 28 pixels around its centre of mass, %s', (_name, drawing) => {
    const digit = centreDigit(drawing, 28, 28);
    const { mass, x, y } = massAndCentre(digit);
    expect(x).toBeCloseTo(14, 0);
    expect(y).toBeCloseTo(14, 0);
    // Twice as tall as wide: 10 by 20 pixels.
    expect(Math.abs(mass - 200)).toBeLessThan(20);
    const rows = Array.from({ length: 28 }, (_, row) =>
      digit.data.subarray(row * 28, row * 28 + 28).some(v => v > 0.5),
    );
    expect(rows.filter(Boolean).length).toBe(20);
  });

  it('is empty for an empty drawing', () => {
    expect(centreDigit(rectangle(280, 0, 0, 0, 0), 28, 28).data.every(value => value === 0)).toBe(true);
  });
});
