// The second stage of van den Oord et al. 2017: a gated PixelCNN over maps of embeddings, which gives each place of the map
// the probabilities of the codes there.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs';
import { z } from 'zod';
import { oddSize } from '../nn/masked-convolution.js';
import { gatedStack } from '../nn/masked-gated-stack.js';
import { drawRaster, stateShapes, unpackState } from '../nn/raster.js';
import type { Scope, Variable } from '../nn/variable.js';
import { tf } from '../trace/tensorflow.js';

/** See gated-pixelcnn; maps are small, so that the layers may be wide. */
export const codePriorSettings = z.strictObject({
  channels: z.int().positive().default(32),
  layers: z.int().min(0).default(5),
  size: oddSize.default(5),
  firstSize: oddSize.default(7),
  head: z.int().positive().default(64),
});

export interface CodePriorOptions extends z.infer<typeof codePriorSettings> {
  readonly height: number;
  readonly width: number;
  readonly codes: number;
  /** Length of an embedding. */
  readonly dimensions: number;
  /** Length of what the prior is conditioned on; 0 for nothing. */
  readonly vector: number;
}

export interface CodePrior {
  readonly parameters: readonly Variable[];
  /** Logits of each place given those before it: embeddings [batch, height, width, dimensions] -> [batch, height, width, codes]. */
  logits(embeddings: Tensor, vector: Tensor | undefined): Tensor;
  /**
   * Embeddings [batch, height, width, dimensions], drawn place by place: `pick` makes one [batch, dimensions] of logits
   * [batch, codes] and the place's uniform number [batch, 1], of `uniform` [batch, height, width, 1].
   */
  draw(uniform: Tensor, vector: Tensor | undefined, pick: (logits: Tensor, uniform: Tensor) => Tensor): Tensor;
}

export function codePrior(scope: Scope, options: CodePriorOptions): CodePrior {
  const { height, width, codes, dimensions } = options;
  const stack = gatedStack(scope, { ...options, inputs: dimensions, outputs: codes });
  return {
    parameters: scope.trainable(),
    logits: (embeddings, vector) => stack.map(embeddings, { vector }),
    draw(uniform, vector, pick) {
      const network = stack.raster({ vector });
      const [batch] = (uniform as Tensor4D).shape; // rank 4, by the contract above
      const shapes = Object.entries(stateShapes(network, [height, width, dimensions]));
      const { image } = drawRaster(network, {
        state: unpackState(Object.fromEntries(shapes.map(([name, shape]) => [name, tf.zeros([batch, ...shape])]))),
        firstRow: tf.scalar(0, 'int32'),
        rowCount: tf.scalar(height, 'int32'),
        inputs: { uniform },
        draw: (logits, { uniform }) => pick(logits, uniform!), // as given above
      });
      return image;
    },
  };
}
