// A stack of masked layers: a function of an image in which no pixel sees itself or what comes after it, and what that
// function can be conditioned on (van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders", sec. 2.3).
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { tf } from '../trace/tensorflow.js';
import { fanInNormal } from './initialisers.js';
import { pointwiseConvolution } from './masked-convolution.js';
import type { RasterNetwork } from './raster.js';
import type { Scope } from './variable.js';

export interface Condition {
  /** h of eq. 4, [batch, n]: seen alike by every pixel of every layer. */
  readonly vector?: Tensor | undefined;
  /** s of eq. 5, [batch, height, width, n]: seen by each pixel at its own place, in the first layer. */
  readonly map?: Tensor | undefined;
}

export interface MaskedStack {
  /** [batch, height, width, inputs] -> [batch, height, width, outputs], all pixels at once. */
  map(x: Tensor, condition?: Condition): Tensor4D;
  /** The same function, pixel by pixel. Call it outside any scan: what depends on the condition alone is computed here. */
  raster(condition?: Condition): RasterNetwork;
}

export interface ConditionBiasOptions {
  /** Lengths of h and s; 0 where there is none. */
  readonly vector: number;
  readonly map: number;
  readonly outputs: number;
}

/**
 * What a layer adds for its condition: V^T h, [batch, 1, 1, outputs], V * s with a 1x1 filter,
 * [batch, height, width, outputs], or their sum. Undefined for a layer, or a call, without a condition.
 */
export function conditionBias(
  scope: Scope,
  name: string,
  { vector, map, outputs }: ConditionBiasOptions,
): (condition: Condition | undefined) => Tensor | undefined {
  const v = vector > 0 ? scope.parameter(`${name}-condition`, [vector, outputs], fanInNormal(vector, 1)) : undefined;
  const filter =
    map > 0 ? pointwiseConvolution(scope.child(`${name}-map`), { inputs: map, outputs, biased: false }) : undefined;
  return condition => {
    const { vector: h, map: s } = condition ?? {};
    const ofVector = v && h && tf.reshape(tf.matMul(h as Tensor2D, v.value as Tensor2D), [-1, 1, 1, outputs]); // rank 2, as above
    const ofMap = filter && s && filter.map(s);
    return ofVector && ofMap ? tf.add(ofVector, ofMap) : (ofVector ?? ofMap);
  };
}
