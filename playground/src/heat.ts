// A map of surprise in nats per pixel as colours: black over violet and orange to pale yellow.

/** Red, green, blue at 0, 0.25, 0.5, 0.75 and 1. */
const STOPS = [
  [11, 12, 18],
  [84, 27, 109],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 200],
] as const;

/** Colour of a value in 0..1; beyond that, of the nearer end. */
export function heatColour(value: number): readonly [number, number, number] {
  const place = Math.min(1, Math.max(0, value)) * (STOPS.length - 1);
  const index = Math.min(STOPS.length - 2, Math.floor(place));
  const [from, to] = [STOPS[index]!, STOPS[index + 1]!]; // index + 1 is at most the last
  const mix = (channel: 0 | 1 | 2) => Math.round(from[channel] + (to[channel] - from[channel]) * (place - index));
  return [mix(0), mix(1), mix(2)];
}

/** At least this many nats are needed for the brightest colour, so that small surprises look small. */
const LEAST_RANGE = 3;

/** The map [height, width] as RGBA, with the picture (grey, 0..1) faintly under it. */
export function heatPixels(map: ArrayLike<number>, picture: ArrayLike<number>): Uint8ClampedArray<ArrayBuffer> {
  const range = Math.max(LEAST_RANGE, ...Array.from(map));
  const pixels = new Uint8ClampedArray(map.length * 4);
  for (let i = 0; i < map.length; i++) {
    const value = Math.max(0, map[i] ?? 0) / range;
    const under = 70 * (picture[i] ?? 0) * (1 - value);
    const [red, green, blue] = heatColour(value);
    pixels.set([red + under, green + under, blue + under * 1.15, 255], i * 4);
  }
  return pixels;
}
