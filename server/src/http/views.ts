// Pictures and NumPy arrays of responses, for those who ask for image/png or application/x-npy.
import type { generator } from '@genserve/proto/wire';
import { invalid, type NpyData, sizeOf } from '@genserve/runtime';
import { encodeSheet } from '../images/encode.js';
import { readTensor } from '../verbs/tensors.js';
import type { Views } from './answer.js';

/** Samples and reconstructions: one sheet, or the array [count, ...domain]. */
export const sampleViews: Views<{ samples?: generator.Tensor | undefined }> = {
  picture: ({ samples }) => encodeSheet(readTensor(present(samples), 'samples')),
  array: ({ samples }) => arrayOf(present(samples)),
};

/** Log-likelihoods in nats, float64 [count]. */
export const likelihoodViews: Views<generator.ScoreLikelihoodResponse> = {
  array: ({ likelihoods }) => column(likelihoods.map(({ logProb }) => logProb)),
};

/** The heat map of the first row; the first score of every row, float64 [count]. */
export const anomalyViews: Views<generator.ScoreAnomalyResponse> = {
  picture: async ({ results }) => {
    const image = results[0]?.mapImage;
    if (image === undefined || image.length === 0) {
      throw invalid('map', 'must be true for image/png, and the model must have the operation log_prob_map');
    }
    return Buffer.from(image);
  },
  array: ({ results }) => column(results.map(({ scores }) => scores[0]?.value ?? Number.NaN)),
};

function column(values: readonly number[]): { shape: number[]; data: NpyData } {
  return { shape: [values.length], data: Float64Array.from(values) };
}

function arrayOf(tensor: generator.Tensor): { shape: number[]; data: NpyData } {
  const { dtype, shape } = tensor;
  if (dtype === 'uint8' && tensor.data.length === sizeOf(shape)) return { shape, data: Uint8Array.from(tensor.data) };
  return { shape, data: readTensor(tensor, 'samples').data };
}

function present(samples: generator.Tensor | undefined): generator.Tensor {
  if (samples === undefined) throw invalid('format', 'must be a tensor format for this Accept');
  return samples;
}
