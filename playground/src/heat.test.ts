import { expect, it } from 'vitest';
import { heatColour, heatPixels } from './heat.js';

const brightness = ([red, green, blue]: readonly number[]) => 0.3 * red! + 0.6 * green! + 0.1 * blue!;

it('grows brighter with every step of surprise', () => {
  const shades = Array.from({ length: 21 }, (_, i) => brightness(heatColour(i / 20)));
  expect(shades).toEqual(shades.toSorted((a, b) => a - b));
  expect(new Set(shades).size).toBe(21);
});

it('keeps to its ends beyond them', () => {
  expect(heatColour(-1)).toEqual(heatColour(0));
  expect(heatColour(2)).toEqual(heatColour(1));
});

it('leaves small surprises dark, and shows the picture under them', () => {
  const calm = heatPixels([0.1, 0.1], [0, 1]);
  const strong = heatPixels([0.1, 30], [0, 1]);
  expect(brightness([...calm.subarray(4, 7)])).toBeGreaterThan(brightness([...calm.subarray(0, 3)]));
  expect(brightness([...strong.subarray(4, 7)])).toBeGreaterThan(200);
  expect(brightness([...calm.subarray(4, 7)])).toBeLessThan(100);
});
