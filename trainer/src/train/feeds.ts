// What a training step is fed: the rows of its batch, and noise that is a function of (seed, step) alone.
import { type Domain, NoiseStream, type Tensor, type Tensors } from '@genserve/runtime';
import type { Batch } from '../data/batches.js';
import { type FedStep, stepNoiseName } from './step-program.js';

/** Shape of one datum, without the batch. */
export function dataShape(domain: Domain): number[] {
  if (domain.image) return [domain.image.height, domain.image.width, domain.image.channels];
  if (domain.vector) return [domain.vector.names.length];
  if (domain.audio) return [domain.audio.samples];
  if (domain.text) return [domain.text.length];
  if (domain.video) return [domain.video.frames, domain.video.height, domain.video.width, domain.video.channels];
  throw new Error('a domain of no kind');
}

/** Data, labels where the step uses them, and its noises: row i of the batch is sample i, the step is the draw. */
export function stepFeeds(spec: FedStep, batch: Batch, shape: readonly number[], seed: number): Tensors {
  const count = batch.data.length / sizeOf(shape);
  const feeds: Record<string, Tensor> = { data: { dtype: 'float32', shape: [count, ...shape], data: batch.data } };
  if (spec.usesLabel)
    feeds.label = { dtype: 'int32', shape: [count], data: batch.labels ?? new Int32Array(count).fill(-1) };
  for (const { name, distribution, shape: noiseShape } of spec.noises) {
    const key = stepNoiseName(spec, name);
    const size = sizeOf(noiseShape);
    const data = new Float32Array(count * size);
    const stream = new NoiseStream(seed, key, distribution);
    for (let row = 0; row < count; row++) stream.fill(data.subarray(row * size, (row + 1) * size), row, batch.step);
    feeds[key] = { dtype: 'float32', shape: [count, ...noiseShape], data };
  }
  return feeds;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
