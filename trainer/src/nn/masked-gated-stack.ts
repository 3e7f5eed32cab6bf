// The network of van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders": a vertical stack that
// sees all rows above, a horizontal stack that sees the row to the left and is fed by the vertical one; no blind spot.
//
// The paper shifts the vertical stack down by one row before each hand-over, and masks the middle of the first layer.
// Here the image is shifted once, down for one stack and right for the other, and every layer is the same.
import type { Tensor } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import {
  halfOf,
  horizontalConvolution,
  pointwiseConvolution,
  shiftDown,
  shiftRight,
  verticalConvolution,
} from './masked-convolution.js';
import { type Condition, conditionBias, type MaskedStack } from './masked-stack.js';
import { PIXEL } from './raster.js';
import type { Scope } from './variable.js';

export interface GatedStackOptions {
  readonly width: number;
  /** Channels of the image. */
  readonly inputs: number;
  /** Numbers that the network gives for each pixel. */
  readonly outputs: number;
  /** Feature maps p of both stacks. */
  readonly channels: number;
  /** Layers after the first. */
  readonly layers: number;
  /** Kernel of the first layer, 7 in the paper, and of the others, 5. */
  readonly firstSize: number;
  readonly size: number;
  /** Feature maps of the two gated 1x1 layers at the end. */
  readonly head: number;
  /** Length of the vector h that every layer is conditioned on; 0 when absent. */
  readonly vector?: number;
  /** Channels of the map s that the first layer is conditioned on; 0 when absent. */
  readonly map?: number;
}

export function gatedStack(scope: Scope, options: GatedStackOptions): MaskedStack {
  const { channels, head, outputs } = options;
  const layers = Array.from({ length: options.layers + 1 }, (_, index) =>
    gatedLayer(scope.child(`layer${index}`), {
      ...options,
      inputs: index === 0 ? options.inputs : channels,
      size: index === 0 ? options.firstSize : options.size,
      vector: options.vector ?? 0,
      map: index === 0 ? (options.map ?? 0) : 0,
      residual: index > 0,
    }),
  );
  const head1 = pointwiseConvolution(scope.child('head1'), { inputs: channels, outputs: 2 * head });
  const head2 = pointwiseConvolution(scope.child('head2'), { inputs: head, outputs: 2 * head });
  const last = pointwiseConvolution(scope.child('output'), { inputs: head, outputs, gain: 0.1 });

  return {
    map(x, condition) {
      let vertical: Tensor = shiftDown(x);
      let horizontal: Tensor = shiftRight(x);
      for (const layer of layers) ({ vertical, horizontal } = layer.map(vertical, horizontal, layer.given(condition)));
      return last.map(gate(head2.map(gate(head1.map(horizontal)))));
    },

    raster(condition) {
      const given = layers.flatMap((layer, index) =>
        Object.entries(layer.given(condition)).flatMap(([stack, bias]) =>
          bias ? [[`layer${index}/${stack}`, bias] as const] : [],
        ),
      );
      const { width } = options;
      return {
        // A window is a row or column short: the last one arrives when it is used.
        rowState: byLayer(layers, ({ rows, inputs }) => [rows - 1, width, inputs]),
        columnState: byLayer(layers, ({ columns, inputs }) => [(columns - 1) * inputs]),
        features: {},
        given: Object.fromEntries(given),
        row(state, above, here) {
          let vertical = above[PIXEL]!; // always there
          const next: Record<string, Tensor> = {};
          const drives: Record<string, Tensor> = {};
          for (const [index, layer] of layers.entries()) {
            const window = tf.concat([state[`layer${index}`]!, vertical], 1); // one for each layer, as stated above
            next[`layer${index}`] = tf.slice(window, [0, 1, 0, 0], [-1, -1, -1, -1]);
            const bias = (stack: string) => here[`layer${index}/${stack}`];
            const result = layer.row(window, { vertical: bias('vertical'), horizontal: bias('horizontal') });
            vertical = result.vertical;
            drives[`layer${index}`] = tf.squeeze(result.drive, [1]);
          }
          return { state: next, drives };
        },
        pixel(state, left, drives) {
          let horizontal = left;
          const next: Record<string, Tensor> = {};
          for (const [index, layer] of layers.entries()) {
            const window = tf.concat([state[`layer${index}`]!, horizontal], 1); // as above
            next[`layer${index}`] = tf.slice(window, [0, layer.inputs], [-1, -1]);
            horizontal = layer.pixel(window, horizontal, drives[`layer${index}`]!);
          }
          const logits = last.pixel(gate(head2.pixel(gate(head1.pixel(horizontal)))));
          return { state: next, logits, features: {} };
        },
      };
    },
  };
}

interface LayerOptions {
  readonly inputs: number;
  readonly channels: number;
  readonly size: number;
  readonly vector: number;
  readonly map: number;
  /** Whether the horizontal stack adds what it was given; it has as many channels then. */
  readonly residual: boolean;
}

/** Figure 2, eq. 4 and 5: both halves of both gates see V^T h and V * s. */
function gatedLayer(scope: Scope, options: LayerOptions) {
  const { inputs, channels, size, residual } = options;
  const both = 2 * channels;
  const vertical = verticalConvolution(scope.child('vertical'), { inputs, outputs: both, size });
  const horizontal = horizontalConvolution(scope.child('horizontal'), { inputs, outputs: both, size });
  const handOver = pointwiseConvolution(scope.child('hand-over'), { inputs: both, outputs: both });
  const output = residual
    ? pointwiseConvolution(scope.child('residual'), { inputs: channels, outputs: channels, biased: false })
    : undefined;
  const verticalBias = conditionBias(scope, 'vertical', { ...options, outputs: both });
  const horizontalBias = conditionBias(scope, 'horizontal', { ...options, outputs: both });

  /** The vertical stack after its gate, and what the horizontal one takes from it before the gate. */
  const split = (convolved: Tensor, given: Given) => {
    const before = plus(convolved, given.vertical);
    return { vertical: gate(before), drive: plus(handOver.map(before), given.horizontal) };
  };
  return {
    inputs,
    rows: vertical.rows,
    columns: halfOf(size),
    given: (condition: Condition | undefined): Given => {
      return { vertical: verticalBias(condition), horizontal: horizontalBias(condition) };
    },
    map(v: Tensor, h: Tensor, given: Given) {
      const above = split(vertical.map(v), given);
      const gated = gate(tf.add(horizontal.map(h), above.drive));
      return { vertical: above.vertical, horizontal: output ? tf.add(output.map(gated), h) : gated };
    },
    row: (window: Tensor, given: Given) => split(vertical.row(window), given),
    pixel(window: Tensor, h: Tensor, drive: Tensor): Tensor {
      const gated = gate(tf.add(horizontal.pixel(window), drive));
      return output ? tf.add(output.pixel(gated), h) : gated;
    },
  };
}

/** What the condition adds to a layer's stacks before their gates, [batch, 1 or height, 1 or width, 2 * channels]. */
interface Given {
  readonly vertical: Tensor | undefined;
  readonly horizontal: Tensor | undefined;
}

const plus = (x: Tensor, bias: Tensor | undefined): Tensor => (bias ? tf.add(x, bias) : x);

/** tanh(a) * sigmoid(b) of the two halves of the last axis: eq. 2. */
function gate(x: Tensor): Tensor {
  const [a, b] = tf.split(x, 2, -1);
  return tf.mul(tf.tanh(a!), tf.sigmoid(b!)); // two, as asked for
}

function byLayer<Layer>(layers: readonly Layer[], map: (layer: Layer) => readonly number[]) {
  return Object.fromEntries(layers.map((layer, index) => [`layer${index}`, map(layer)]));
}
