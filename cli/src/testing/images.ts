// Pictures to train on in tests.
import { NoiseStream, writeNpy } from '@genserve/runtime';

/** The bytes of a .npy file, uint8 [count, size, size]: grey noise, the same for the same arguments. */
export function noiseImages(count: number, size: number): Uint8Array {
  const pixels = new Float32Array(count * size * size);
  new NoiseStream(1, 'images', 'uniform').fill(pixels, 0);
  const levels = Uint8Array.from(pixels, value => 255 * value);
  return writeNpy([count, size, size], levels);
}
