// The PixelCNN of van den Oord et al. 2016, "Pixel Recurrent Neural Networks", sec. 3.5 and figure 5: one stack of masked
// convolutions in residual blocks. A pixel never sees those above it and far to the right: the blind spot.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { relu } from './activations.js';
import { pointwiseConvolution } from './masked-convolution.js';
import { maskedKernel } from './masked-kernel.js';
import { conditionBias, type MaskedStack } from './masked-stack.js';
import { PIXEL } from './raster.js';
import type { Scope } from './variable.js';

export interface ResidualStackOptions {
  readonly width: number;
  /** Channels of the image. */
  readonly inputs: number;
  /** Numbers that the network gives for each pixel. */
  readonly outputs: number;
  /** h of the paper: feature maps inside a residual block; 2h between blocks. */
  readonly channels: number;
  readonly blocks: number;
  /** Kernel of the first layer, 7 in the paper, and of the blocks, 3. */
  readonly firstSize: number;
  readonly size: number;
  /** Feature maps of the two 1x1 layers at the end. */
  readonly head: number;
  /** Channels of the map that the first layer is conditioned on; 0 when absent. */
  readonly map?: number;
}

export function residualStack(scope: Scope, options: ResidualStackOptions): MaskedStack {
  const { channels, head, inputs, outputs, width } = options;
  const both = 2 * channels;
  const first = maskedKernel(scope.child('first'), { inputs, outputs: both, size: options.firstSize, mask: 'A' });
  const bias = conditionBias(scope, 'first', { vector: 0, map: options.map ?? 0, outputs: both });
  const conditioned = (x: Tensor, given: Tensor | undefined): Tensor => (given ? tf.add(x, given) : x);
  const blocks = Array.from({ length: options.blocks }, (_, index) => {
    const block = scope.child(`block${index}`);
    return {
      name: `block${index}`,
      reduce: pointwiseConvolution(block.child('reduce'), { inputs: both, outputs: channels, gain: Math.SQRT2 }),
      convolve: maskedKernel(block.child('masked'), {
        inputs: channels,
        outputs: channels,
        size: options.size,
        mask: 'B',
      }),
      // Small at first, so that the sum over many blocks starts near its first term.
      expand: pointwiseConvolution(block.child('expand'), { inputs: channels, outputs: both, gain: 0.5 }),
    };
  });
  const head1 = pointwiseConvolution(scope.child('head1'), { inputs: both, outputs: head, gain: Math.SQRT2 });
  const head2 = pointwiseConvolution(scope.child('head2'), { inputs: head, outputs: head, gain: Math.SQRT2 });
  const last = pointwiseConvolution(scope.child('output'), { inputs: head, outputs, gain: 0.1 });

  return {
    map(x, condition) {
      let features = conditioned(first.map(x), bias(condition));
      for (const { reduce, convolve, expand } of blocks) {
        const inner = relu(reduce.map(relu(features)));
        features = tf.add(features, expand.map(relu(convolve.map(inner))));
      }
      return last.map(relu(head2.map(relu(head1.map(relu(features))))));
    },

    raster(condition) {
      const given = bias(condition);
      const layers = [
        { name: 'first', kernel: first, length: inputs },
        ...blocks.map(({ name, convolve }) => ({ name, kernel: convolve, length: channels })),
      ];
      return {
        // Rows and columns that are older than the last one; the last one arrives when it is used.
        rowState: byName(layers, ({ kernel, length }) => kernel.rows > 1 && [kernel.rows - 1, width, length]),
        columnState: byName(layers, ({ kernel, length }) => kernel.columns > 1 && [(kernel.columns - 1) * length]),
        features: Object.fromEntries(blocks.map(({ name }) => [name, channels])),
        given: given ? { first: given } : {},
        row(state, above, here) {
          const next: Record<string, Tensor> = {};
          const drives: Record<string, Tensor> = {};
          for (const { name, kernel } of layers) {
            const last = above[name === 'first' ? PIXEL : name]!; // pixels and features are always there
            const older = state[name];
            const window = older ? tf.concat([older, last], 1) : last;
            if (older) next[name] = tf.slice(window, [0, 1, 0, 0], [-1, -1, -1, -1]);
            const drive = kernel.above(window);
            drives[name] = tf.squeeze(name === 'first' ? conditioned(drive, here.first) : drive, [1]);
          }
          return { state: next, drives };
        },
        pixel(state, left, drives) {
          const next: Record<string, Tensor> = {};
          const shown: Record<string, Tensor> = {};
          const window = (name: string, newest: Tensor, length: number) => {
            const older = state[name];
            if (!older) return newest;
            const all = tf.concat([older, newest], 1);
            next[name] = tf.slice(all, [0, length], [-1, -1]);
            return all;
          };
          let features: Tensor = tf.add(first.left(window('first', left, inputs)), drives.first!);
          for (const { name, reduce, convolve, expand } of blocks) {
            const inner = relu(reduce.pixel(relu(features)));
            shown[name] = inner;
            const convolved = tf.add(convolve.left(window(name, inner, channels)), drives[name]!); // given by `row`
            features = tf.add(expand.pixel(relu(convolved)), features);
          }
          const logits = last.pixel(relu(head2.pixel(relu(head1.pixel(relu(features))))));
          return { state: next, logits, features: shown };
        },
      };
    },
  };
}

/** Shapes by the name of the layer, where there are any. */
function byName<Layer extends { readonly name: string }>(
  layers: readonly Layer[],
  shapeOf: (layer: Layer) => readonly number[] | false,
): Record<string, readonly number[]> {
  return Object.fromEntries(
    layers.flatMap(layer => {
      const shape = shapeOf(layer);
      return shape ? [[layer.name, shape]] : [];
    }),
  );
}
