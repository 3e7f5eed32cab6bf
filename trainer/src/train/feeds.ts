// What a training step is fed: the rows of its batch, and noise that is a function of (seed, step) alone.
import { type Domain, invalid, NoiseStream, type Tensor, type Tensors } from '@genserve/runtime';
import type { Batch } from '../data/batches.js';
import { type FedStep, stepNoiseName, updatesOf } from './step-program.js';

/** Shape of one datum, without the batch. */
export function dataShape(domain: Domain): number[] {
  if (domain.image) return [domain.image.height, domain.image.width, domain.image.channels];
  if (domain.vector) return [domain.vector.names.length];
  if (domain.audio) return [domain.audio.samples];
  if (domain.text) return [domain.text.length];
  if (domain.video) return [domain.video.frames, domain.video.height, domain.video.width, domain.video.channels];
  throw new Error('a domain of no kind');
}

/**
 * Data, labels where the step uses them, and its noises: row i of the batch is sample i, the step is the draw. Each update
 * of a step that repeats takes the next `rows` of the batch; what is left over is not used.
 */
export function stepFeeds(step: FedStep, batch: Batch, shape: readonly number[], seed: number, rows?: number): Tensors {
  const size = sizeOf(shape);
  const updates = updatesOf(step);
  const count = rows ?? batch.data.length / size / updates.length;
  const feeds: Record<string, Tensor> = {};
  for (const [index, update] of updates.entries()) {
    const [from, to] = [index * count, (index + 1) * count];
    feeds[update.feeds.data] = {
      dtype: 'float32',
      shape: [count, ...shape],
      data: batch.data.subarray(from * size, to * size),
    };
    if (step.target) {
      const width = sizeOf(step.target);
      if (!batch.target) throw invalid('data', `${step.name} learns from paired rows, and these have no targets`);
      const data = batch.target.subarray(from * width, to * width);
      feeds[update.feeds.target] = { dtype: 'float32', shape: [count, ...step.target], data };
    }
    if (step.usesLabel) {
      const data = batch.labels?.subarray(from, to) ?? new Int32Array(count).fill(-1);
      feeds[update.feeds.label] = { dtype: 'int32', shape: [count], data };
    }
    const { vectorSize } = step;
    if (vectorSize) {
      const given = vectorsOf(batch, vectorSize, batch.data.length / size);
      const data = given.subarray(from * vectorSize, to * vectorSize);
      feeds[update.feeds.vector] = { dtype: 'float32', shape: [count, vectorSize], data };
    }
    for (const { name, distribution, shape: noiseShape } of step.noises) {
      const key = stepNoiseName(update, name);
      const width = sizeOf(noiseShape);
      const data = new Float32Array(count * width);
      const stream = new NoiseStream(seed, key, distribution);
      for (let row = 0; row < count; row++) stream.fill(data.subarray(row * width, (row + 1) * width), row, batch.step);
      feeds[key] = { dtype: 'float32', shape: [count, ...noiseShape], data };
    }
  }
  return feeds;
}

/** Throws INVALID_ARGUMENT where the rows have no vectors of this length. */
function vectorsOf({ vectors }: Batch, size: number, rows: number): Float32Array<ArrayBuffer> {
  if (vectors?.length === size * rows) return vectors;
  const found = vectors
    ? `vectors of ${vectors.length / rows} numbers`
    : 'no vectors (an .npz holds them as `vectors`)';
  throw invalid('data', `the model is conditioned on vectors of ${size} numbers, the data have ${found}`);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
